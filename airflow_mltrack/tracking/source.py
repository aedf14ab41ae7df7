"""Who runs this, and from which code: the few tags that every run outside a sweep carries."""

from __future__ import annotations

import getpass
import os
import sys
from functools import lru_cache
from pathlib import Path

from airflow_mltrack.model_package.code_version import capture_code_version


def current_user() -> str:
    """Return the name of the user of this process, empty when the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container with a user id that has no name
        return ""


def source_tags(user: str) -> dict[str, str]:
    """Return tags about the code that runs; MLflow's names, so that its clients show them.

    :param user: empty leaves the tag out.
    """
    name = _entry_point()
    tags = {
        "mlflow.user": user,
        "mlflow.source.name": name,
        "mlflow.source.type": "JOB" if "AIRFLOW_CTX_DAG_ID" in os.environ else "LOCAL",
        "mlflow.source.git.commit": _git_commit(str(Path(name).absolute().parent)),
    }
    return {key: value for key, value in tags.items() if value}


def _entry_point() -> str:
    main = sys.modules.get("__main__")
    return getattr(main, "__file__", None) or (sys.argv[0] if sys.argv else "") or "python"


@lru_cache(maxsize=32)
def _git_commit(directory: str) -> str:
    """Return the commit that is checked out around a directory, empty when there is none."""
    return capture_code_version(directory).commit or ""
