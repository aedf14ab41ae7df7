"""Options that take JSON: a file, or the JSON itself."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_mltrack.exceptions import InvalidInput, shorten


def read_json(option: str, given: str) -> object:
    """Read what an option names: a file, or JSON that was typed.

    :param option: how the option is called, for messages.
    :param given: JSON when it begins with ``{`` or ``[``, otherwise the path of a file.
    :raises InvalidInput: when there is no such file, or it holds no JSON.
    """
    typed = given.lstrip()[:1] in ("{", "[")
    text = given if typed else _text_of(option, Path(given).expanduser())
    try:
        return json.loads(text)
    except ValueError as error:
        where = "it" if typed else f"file {shorten(given)}"
        raise InvalidInput(option, given, f"{where} is not JSON: {error}.") from error


def read_object(option: str, given: str) -> dict[str, object]:
    """Read what an option names, which is a JSON object.

    :raises InvalidInput: see :func:`read_json`; or when it is something else.
    """
    found = read_json(option, given)
    if not isinstance(found, dict):
        raise InvalidInput(option, given, "it is a JSON object: {...}.")
    return found


def _text_of(option: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InvalidInput(
            option, str(path), "there is no such file.", "Name a file, or type the JSON: '{...}'."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(option, str(path), f"the file cannot be read: {error}.") from error
