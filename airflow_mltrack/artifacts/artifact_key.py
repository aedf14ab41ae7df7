"""Keys: where bytes lie inside an artifact store, as text that cannot climb out of it."""

from __future__ import annotations

import mimetypes
import unicodedata
from functools import lru_cache

from airflow_mltrack.exceptions import InvalidInput

MAX_KEY_BYTES = 1024
"""S3's limit for a whole key in UTF-8."""
MAX_PART_BYTES = 255
"""Limit of common file systems for one name."""
DEFAULT_CONTENT_TYPE = "application/octet-stream"

_OWN_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".md": "text/markdown",
    ".diff": "text/x-diff",
    ".patch": "text/x-diff",
    ".parquet": "application/vnd.apache.parquet",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}


def safe_path(path: str) -> str:
    """Return ``path`` unchanged when it is a relative path that stays below its root.

    :param path: parts separated by ``/``; at most 1,024 bytes, each part at most 255 bytes.
    :raises InvalidInput: when it is empty, absolute, has an empty, ``.`` or ``..`` part, a
        backslash, a control character or half of a surrogate pair, or is too long.
    """
    rule = _broken_rule(path)
    if rule:
        raise InvalidInput(
            "artifact path", path, rule, "Use a relative path such as plots/roc.png."
        )
    return path


def join(*parts: str) -> str:
    """Join paths with ``/`` and check the result; empty parts are left out.

    :raises InvalidInput: see :func:`safe_path`.
    """
    return safe_path("/".join(part for part in parts if part))


def guess_content_type(key: str) -> str:
    """Return the content type that the extension stands for, the same on every machine."""
    _, dot, extension = key.rpartition("/")[2].rpartition(".")
    if not dot:
        return "text/plain" if key.rpartition("/")[2] == "MLmodel" else DEFAULT_CONTENT_TYPE
    suffix = f".{extension.lower()}"
    return _OWN_TYPES.get(suffix) or _known_types().get(suffix, DEFAULT_CONTENT_TYPE)


def _broken_rule(path: str) -> str | None:
    """Say which rule the path breaks, None when it keeps them all."""
    parts = path.split("/")
    size = len(path.encode(errors="replace"))
    rules = (
        (not path, "it is empty."),
        (
            any(unicodedata.category(character) in ("Cc", "Cs") for character in path),
            "it holds control characters or broken Unicode.",
        ),
        ("\\" in path, "it holds a backslash; / separates parts."),
        (path.startswith("/"), "it is absolute."),
        (any(part in ("", ".", "..") for part in parts), "it has an empty, . or .. part."),
        (size > MAX_KEY_BYTES, f"it is longer than {MAX_KEY_BYTES} bytes."),
        (
            any(len(part.encode(errors="replace")) > MAX_PART_BYTES for part in parts),
            f"one part is longer than {MAX_PART_BYTES} bytes.",
        ),
    )
    return next((rule for broken, rule in rules if broken), None)


@lru_cache(maxsize=1)
def _known_types() -> dict[str, str]:
    # The module-level functions would also read the machine's own mime.types files.
    return mimetypes.MimeTypes(filenames=()).types_map[True]
