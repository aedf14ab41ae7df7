"""From an Airflow connection to settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.settings import Settings, connection_settings, environment_settings

if TYPE_CHECKING:
    from airflow.sdk import Connection

DEFAULT_CONN_ID = "mltrack_default"
_AWS_ONLY = ("role_arn", "profile_name", "assume_role_method")


def settings_of(conn_id: str) -> Settings:
    """Resolve a connection of type ``mltrack`` into settings.

    The ``MLTRACK_*`` variables complete ``mltrack_default`` (see
    :func:`~airflow_mltrack.settings.environment_settings`) and no other connection. Where
    ``mltrack_default`` is not defined the embedded default is used.

    :param conn_id: id of an Airflow connection.
    :raises NotFound: when a connection other than ``mltrack_default`` is not defined.
    :raises InvalidInput: when a field has a value that is not allowed.
    """
    connection = _find(conn_id)
    if conn_id == DEFAULT_CONN_ID:
        keywords = None if connection is None else _keywords(connection)
        settings = environment_settings(connection=keywords)
    elif connection is None:
        raise NotFound(
            "Airflow connection",
            conn_id,
            f"Define it under Admin > Connections (type MLTrack), or use {DEFAULT_CONN_ID}.",
        )
    else:
        settings = connection_settings(**_keywords(connection))
    _mask(connection, settings)
    return settings


def _find(conn_id: str) -> Connection | None:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None


def _keywords(connection: Connection) -> dict[str, Any]:
    extra = dict(connection.extra_dejson)
    aws_conn_id = extra.pop("aws_conn_id", None)
    if aws_conn_id:
        given = {name: value for name, value in extra.items() if value not in (None, "")}
        extra = {**_aws_fields(aws_conn_id), **given}
    return {
        "host": connection.host,
        "port": connection.port,
        "login": connection.login,
        "password": connection.password,
        "schema": connection.schema,
        "extra": extra,
    }


def _aws_fields(aws_conn_id: str) -> dict[str, object]:
    """Take keys, region and endpoint out of an AWS connection, without the Amazon provider."""
    connection = _find(aws_conn_id)
    if connection is None:
        raise NotFound(
            "Airflow connection", aws_conn_id, "The mltrack connection names it in aws_conn_id."
        )
    extra: Mapping[str, Any] = connection.extra_dejson
    unsupported = [name for name in _AWS_ONLY if extra.get(name)]
    if unsupported:
        raise InvalidInput(
            "aws_conn_id",
            aws_conn_id,
            f"its field {unsupported[0]} is not supported here.",
            "Leave aws_conn_id and the keys empty and give the worker the role: boto3's standard "
            "chain (environment, profile, web identity, instance role) is then used.",
        )
    return {
        "aws_access_key_id": connection.login or extra.get("aws_access_key_id"),
        "aws_secret_access_key": connection.password or extra.get("aws_secret_access_key"),
        "aws_session_token": extra.get("aws_session_token"),
        "region": extra.get("region_name"),
        "endpoint_url": extra.get("endpoint_url"),
    }


def _mask(connection: Connection | None, settings: Settings) -> None:
    secrets = (
        connection.password if connection else None,
        settings.s3.secret_access_key,
        settings.s3.session_token,
        settings.webhook_secret,
    )
    for secret in secrets:
        if secret:
            mask_secret(secret)
