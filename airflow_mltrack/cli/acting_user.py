"""Who is at the terminal: the name under which the registry's history remembers a command."""

from __future__ import annotations

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.tracking.source import current_user


def acting_user() -> str:
    """Return the name of whoever runs this command.

    :raises InvalidInput: when the system knows none: a history without names proves nothing.
    """
    user = current_user()
    if not user:
        raise InvalidInput(
            "user",
            user,
            "the system has no name for this user id, and the history records who did it.",
            "Run it as a user with a name, or set LOGNAME.",
        )
    return user
