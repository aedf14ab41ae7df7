from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.hooks.connection import settings_of
from tests.hooks.conftest import DefineConnection


def test_no_connection_means_the_embedded_default_under_airflow_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    found = settings_of("mltrack_default")
    assert found.embedded_directory == tmp_path / "mltrack" / "postgres"
    assert found.artifact_uri == str(tmp_path / "mltrack" / "artifacts")


def test_another_connection_must_exist() -> None:
    with pytest.raises(NotFound, match="'team_b' does not exist"):
        settings_of("team_b")


def test_a_connection_names_database_and_bucket(define_connection: DefineConnection) -> None:
    define_connection(
        "team_b",
        host="db",
        port=5433,
        login="ml",
        password="p@ss",
        schema="tracking",
        extra={"artifact_uri": "s3://bucket/x", "region": "eu-north-1", "path_style": True},
    )
    found = settings_of("team_b")
    assert found.database_url == "postgresql://ml:p%40ss@db:5433/tracking"
    assert found.artifact_uri == "s3://bucket/x"
    assert (found.s3.region, found.s3.path_style) == ("eu-north-1", True)


def test_the_environment_completes_only_the_default_connection(
    define_connection: DefineConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLTRACK_TRUSTED_MODULES", "xgboost")
    fields = {"host": "db", "extra": {"artifact_uri": "s3://b"}}
    default, other = define_connection(**fields), define_connection("team_b", **fields)
    assert "xgboost" in settings_of(default).trusted_modules
    assert "xgboost" not in settings_of(other).trusted_modules


def test_an_aws_connection_lends_keys_region_and_endpoint(
    define_connection: DefineConnection,
) -> None:
    define_connection(
        "minio",
        "aws",
        login="AKIA",
        password="secret-key",
        extra={"region_name": "eu-west-1", "endpoint_url": "http://minio:9000"},
    )
    define_connection(
        "team_b",
        host="db",
        extra={"artifact_uri": "s3://b", "aws_conn_id": "minio", "region": "us-east-2"},
    )
    s3 = settings_of("team_b").s3
    assert (s3.access_key_id, s3.secret_access_key) == ("AKIA", "secret-key")
    assert s3.endpoint_url == "http://minio:9000"
    assert s3.region == "us-east-2", "what the mltrack connection says itself wins"


def test_an_aws_connection_that_needs_a_role_is_refused_with_advice(
    define_connection: DefineConnection,
) -> None:
    define_connection("cross", "aws", extra={"role_arn": "arn:aws:iam::1:role/x"})
    define_connection("team_b", host="db", extra={"artifact_uri": "s3://b", "aws_conn_id": "cross"})
    with pytest.raises(InvalidInput, match="role_arn is not supported"):
        settings_of("team_b")


def test_a_missing_aws_connection_is_named(define_connection: DefineConnection) -> None:
    define_connection("team_b", host="db", extra={"artifact_uri": "s3://b", "aws_conn_id": "nope"})
    with pytest.raises(NotFound, match="nope"):
        settings_of("team_b")


def test_secrets_are_masked_in_logs(
    define_connection: DefineConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[str] = []
    monkeypatch.setattr("airflow_mltrack.hooks.connection.mask_secret", masked.append)
    define_connection(
        "team_b",
        host="db",
        password="db-password",
        extra={
            "artifact_uri": "s3://b",
            "aws_secret_access_key": "s3-secret",
            "aws_session_token": "s3-token",
        },
    )
    settings_of("team_b")
    assert masked == ["db-password", "s3-secret", "s3-token"]


def test_a_wrong_field_is_named_without_its_neighbours(
    define_connection: DefineConnection,
) -> None:
    define_connection(
        "team_b", host="db", password="hush", extra={"artifact_uri": "s3://b", "checksums": "md5"}
    )
    with pytest.raises(InvalidInput, match="checksums") as refused:
        settings_of("team_b")
    assert "hush" not in json.dumps(str(refused.value))
