"""Settings: from the environment, from a connection, and without secrets in what they show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.settings import (
    DEFAULT_TRUSTED_MODULES,
    S3Settings,
    Settings,
    connection_settings,
    default_home,
    embedded_settings,
    environment_settings,
)

SECRET = "s3cr3t-word"
EMPTY: dict[str, Any] = {
    "host": None,
    "port": None,
    "login": None,
    "password": None,
    "schema": None,
    "extra": {},
}


def test_without_anything_the_embedded_default_lies_in_airflow_home(tmp_path: Path) -> None:
    found = environment_settings({"AIRFLOW_HOME": str(tmp_path / "a b")})
    assert found.is_embedded
    assert found.embedded_directory == tmp_path / "a b" / "mltrack" / "postgres"
    assert found.artifact_uri == str(tmp_path / "a b" / "mltrack" / "artifacts")
    assert found.spool_dir == str(tmp_path / "a b" / "mltrack" / "spool")
    assert found.trusted_modules == DEFAULT_TRUSTED_MODULES
    assert default_home({}) == Path.home() / "airflow" / "mltrack"


def test_variables_win_over_the_connection(tmp_path: Path) -> None:
    found = environment_settings(
        {
            "AIRFLOW_CONN_MLTRACK_DEFAULT": json.dumps(
                {
                    "conn_type": "mltrack",
                    "host": "db",
                    "login": "ann",
                    "extra": {"artifact_uri": "s3://a/b", "region": "eu-1", "trusted_types": "x.Y"},
                }
            ),
            "MLTRACK_DATABASE_URL": "postgresql://other/db",
            "MLTRACK_ARTIFACT_URI": "s3://c",
            "MLTRACK_TRUSTED_MODULES": "mine, yours,",
            "MLTRACK_TRUSTED_TYPES": "z.Z",
            "MLTRACK_SPOOL_DIR": str(tmp_path),
            "MLTRACK_S3_ENDPOINT_URL": "http://minio:9000",
            "MLTRACK_S3_ACCESS_KEY_ID": "key",
            "MLTRACK_S3_SECRET_ACCESS_KEY": SECRET,
            "MLTRACK_S3_SESSION_TOKEN": SECRET,
            "MLTRACK_S3_PATH_STYLE": "yes",
            "MLTRACK_S3_VERIFY_TLS": "0",
            "MLTRACK_S3_CHECKSUMS": "when_supported",
        }
    )
    assert (found.database_url, found.artifact_uri) == ("postgresql://other/db", "s3://c")
    assert found.trusted_modules == (*DEFAULT_TRUSTED_MODULES, "mine", "yours")
    assert found.trusted_types == ("x.Y", "z.Z")
    assert found.spool_dir == str(tmp_path)
    assert found.s3 == S3Settings(
        endpoint_url="http://minio:9000",
        region="eu-1",
        access_key_id="key",
        secret_access_key=SECRET,
        session_token=SECRET,
        path_style=True,
        checksums="when_supported",
        verify_tls=False,
    )


@pytest.mark.parametrize(
    "connection",
    [
        json.dumps(
            {
                "host": "db",
                "port": 6000,
                "login": "a/b",
                "password": "p@:/",
                "schema": "ml",
                "extra": json.dumps({"artifact_uri": "s3://a", "path_style": "true"}),
            }
        ),
        "mltrack://a%2Fb:p%40%3A%2F@db:6000/ml?artifact_uri=s3%3A%2F%2Fa&path_style=true",
        "mltrack://a%2Fb:p%40%3A%2F@db:6000/ml?__extra__="
        "%7B%22artifact_uri%22%3A+%22s3%3A%2F%2Fa%22%2C+%22path_style%22%3A+true%7D",
    ],
)
def test_a_connection_is_read_as_json_and_as_uri(connection: str) -> None:
    found = environment_settings({"AIRFLOW_CONN_MLTRACK_DEFAULT": connection})
    assert found.database_url == "postgresql://a%2Fb:p%40%3A%2F@db:6000/ml"
    assert found.artifact_uri == "s3://a"
    assert found.s3.path_style


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("mltrack://u@[::1]:6000/d?artifact_uri=/a", "postgresql://u@[::1]:6000/d"),
        ("mltrack://u@%2FTmp%2FPg/d?artifact_uri=/a", "postgresql://u@/d?host=/Tmp/Pg"),
    ],
)
def test_an_address_and_a_sockets_directory_can_be_a_uris_host(uri: str, url: str) -> None:
    found = environment_settings({"AIRFLOW_CONN_MLTRACK_DEFAULT": uri})
    assert found.database_url == url


@pytest.mark.parametrize("connection", ['{"extra": "5"}', "mltrack://h/d?__extra__=5"])
def test_a_connections_extra_is_an_object(connection: str) -> None:
    with pytest.raises(InvalidInput, match="JSON object"):
        environment_settings({"AIRFLOW_CONN_MLTRACK_DEFAULT": connection})


def test_a_connection_that_airflow_found_takes_the_place_of_the_variable() -> None:
    found = environment_settings(
        {"AIRFLOW_CONN_MLTRACK_DEFAULT": "{broken"},
        connection=EMPTY | {"host": "db", "extra": {"artifact_uri": "s3://a"}},
    )
    assert found.database_url == "postgresql://db:5432/mltrack"


def test_a_unix_socket_is_a_host(tmp_path: Path) -> None:
    given = EMPTY | {"host": "/var/run/pg", "login": "ann", "extra": {"artifact_uri": "/data"}}
    assert (
        connection_settings(**given, home=tmp_path).database_url
        == "postgresql://ann@/mltrack?host=/var/run/pg"
    )
    assert connection_settings(**(given | {"port": 7}), home=tmp_path).database_url.endswith(
        "?host=/var/run/pg&port=7"
    )


@pytest.mark.parametrize(
    ("extra", "rule"),
    [
        ({"checksums": "never"}, "when_required or when_supported"),
        ({"path_style": "perhaps"}, "true or false"),
        ({"region": 5}, "it is text"),
        ({"sslmode": "always"}, "disable, allow, prefer, require, verify-ca, verify-full"),
        ({"trusted_modules": 5}, "it is text"),
    ],
)
def test_a_bad_extra_field_is_refused(extra: dict[str, object], rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        connection_settings(**(EMPTY | {"extra": extra}))


def test_lists_of_names_may_be_lists_or_text() -> None:
    for value in (["a", "b"], "a, b"):
        found = connection_settings(**(EMPTY | {"extra": {"trusted_modules": value}}))
        assert found.trusted_modules == (*DEFAULT_TRUSTED_MODULES, "a", "b")


def test_what_is_trusted_already_is_not_named_twice() -> None:
    given = json.dumps({"extra": {"trusted_modules": "mine, sklearn", "trusted_types": "a.B"}})
    found = environment_settings(
        {
            "AIRFLOW_CONN_MLTRACK_DEFAULT": given,
            "MLTRACK_TRUSTED_MODULES": "mine",
            "MLTRACK_TRUSTED_TYPES": "a.B",
        }
    )
    assert found.trusted_modules == (*DEFAULT_TRUSTED_MODULES, "mine")
    assert found.trusted_types == ("a.B",)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "db"}, "postgresql://db:5432/mltrack?sslmode=verify-full"),
        ({"host": "/pg", "port": 7}, "postgresql:///mltrack?host=/pg&port=7&sslmode=verify-full"),
    ],
)
def test_a_connection_says_how_to_encrypt(fields: dict[str, Any], url: str) -> None:
    extra = {"artifact_uri": "s3://a", "sslmode": "verify-full"}
    found = connection_settings(**(EMPTY | fields | {"extra": extra}))
    assert found.database_url == url
    without = connection_settings(**(EMPTY | fields | {"extra": {"artifact_uri": "s3://a"}}))
    assert "sslmode" not in without.database_url


def test_a_server_without_an_artifact_uri_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"artifact_uri.*every worker shares"):
        connection_settings(**(EMPTY | {"host": "db"}))
    with pytest.raises(InvalidInput, match=r"MLTRACK_ARTIFACT_URI.*every worker shares"):
        environment_settings({"MLTRACK_DATABASE_URL": "postgresql://db/ml"})
    assert environment_settings({"MLTRACK_DATABASE_URL": "embedded:///x"}).is_embedded


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f'{{"password": "{SECRET}", broken', "not JSON"),
        (f'{{"password": "{SECRET}", "extra": "{{broken"}}', "not JSON"),
        (f"mltrack://ann:{SECRET}@host:port/db", "not a connection URI"),
    ],
)
def test_a_connection_that_cannot_be_read_is_refused_without_its_text(text: str, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule) as info:
        environment_settings({"AIRFLOW_CONN_MLTRACK_DEFAULT": text})
    assert SECRET not in str(info.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://ann:{SECRET}@h:1/d", "postgresql://ann:***@h:1/d"),
        (f"postgresql://ann:{SECRET}@/x@h:port/d", "postgresql://ann:***@h:port/d"),
        (f"postgresql://ann@h/d?password={SECRET}&a=b", "postgresql://ann@h/d?a=b"),
        (f"postgresql://h/d?PASSWORD={SECRET}", "postgresql://h/d"),
        (f"postgresql://h/d?sslpassword={SECRET}&a=b", "postgresql://h/d?a=b"),
        (f"postgresql://h/d?pass%77ord={SECRET}", "postgresql://h/d"),
        (f"postgresql://ann:a?{SECRET}@h/d", "postgresql://(hidden)"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("embedded:///a/b", "embedded:///a/b"),
        (f"ann:{SECRET}@h", "(hidden)"),
    ],
)
def test_no_address_shows_a_password(url: str, shown: str) -> None:
    settings = Settings(
        database_url=url,
        artifact_uri="/a",
        s3=S3Settings(secret_access_key=SECRET, session_token=SECRET),
    )
    assert settings.safe_database_url == shown
    assert SECRET not in repr(settings)


def test_only_an_embedded_database_has_a_directory(tmp_path: Path) -> None:
    odd = tmp_path / "ü %20 #?"
    assert embedded_settings(odd).embedded_directory == odd / "postgres"
    with pytest.raises(InvalidInput, match="not embedded"):
        _ = Settings(database_url="postgresql://h/d", artifact_uri="/a").embedded_directory


def test_days_that_deliveries_are_kept_come_from_variable_or_field() -> None:
    assert environment_settings({}).webhook_keep_days == 30
    conn = json.dumps({"conn_type": "mltrack", "extra": {"webhook_keep_days": 7}})
    env = {"AIRFLOW_CONN_MLTRACK_DEFAULT": conn}
    assert environment_settings(env).webhook_keep_days == 7
    assert environment_settings({**env, "MLTRACK_WEBHOOK_KEEP_DAYS": "90"}).webhook_keep_days == 90


@pytest.mark.parametrize("value", ["0", "-1", "36501", "1.5", "soon", "9" * 5_000])
def test_days_that_are_no_days_are_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match=r"MLTRACK_WEBHOOK_KEEP_DAYS.*1 to 36,500"):
        environment_settings({"MLTRACK_WEBHOOK_KEEP_DAYS": value})
    conn = json.dumps({"conn_type": "mltrack", "extra": {"webhook_keep_days": True}})
    with pytest.raises(InvalidInput, match="webhook_keep_days"):
        environment_settings({"AIRFLOW_CONN_MLTRACK_DEFAULT": conn})
