from __future__ import annotations

import subprocess
from pathlib import Path

from airflow_mltrack.store.engine import embedded_is_running, start_embedded, stop_embedded


def test_the_copy_of_a_running_home_is_a_server_of_its_own(server_directory: Path) -> None:
    copy = server_directory.with_name("copy")
    original_url = start_embedded(server_directory)
    subprocess.run(["cp", "-a", server_directory, copy], check=True)

    assert not embedded_is_running(copy)
    stop_embedded(copy)
    assert embedded_is_running(server_directory)
    try:
        assert start_embedded(copy) != original_url
        assert embedded_is_running(copy)
    finally:
        stop_embedded(copy)
    assert embedded_is_running(server_directory)
