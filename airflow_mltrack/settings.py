"""Where records and bytes live, read from the environment. No Airflow here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from airflow_mltrack.exceptions import InvalidInput

EMBEDDED_SCHEME = "embedded"
DEFAULT_TRUSTED_MODULES = ("sklearn", "lightgbm", "imblearn")
DEFAULT_KEEP_DAYS = 30
MOST_KEEP_DAYS = 36_500
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""What libpq knows; without one it takes ``prefer``."""


@dataclass(frozen=True, slots=True)
class S3Settings:
    """How to reach an S3-compatible server. Everything None means boto3's standard chain."""

    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    path_style: bool = False
    """Address buckets as ``endpoint/bucket`` (most self-hosted servers need it)."""
    checksums: str = "when_required"
    """boto3's checksums: ``when_required`` (older servers) or ``when_supported``."""
    verify_tls: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """One tracking backend."""

    database_url: str = field(repr=False)
    """``postgresql://...`` or ``embedded:///directory`` (a server of our own in that directory)."""
    artifact_uri: str
    """``s3://bucket/prefix``, ``file:///directory`` or a plain absolute path."""
    s3: S3Settings = field(default_factory=S3Settings)
    trusted_modules: tuple[str, ...] = DEFAULT_TRUSTED_MODULES
    """Top-level modules whose estimators a Dag, and whose functions a policy, may name."""
    trusted_types: tuple[str, ...] = ()
    """Types, beside the registry's own list, that a model package may hold."""
    spool_dir: str | None = None
    """Where metric points wait while the database is away; None: a temporary directory."""
    gated_models: tuple[str, ...] = ()
    """Name patterns (``credit-*``, ``*``) of the models that are made with the gated profile."""
    webhook_secret: str | None = field(default=None, repr=False)
    """Signs what is sent to webhooks; without one none can be sent."""
    webhook_keep_days: int = DEFAULT_KEEP_DAYS
    """How long the record of a delivery that arrived is kept."""

    @property
    def is_embedded(self) -> bool:
        """Whether the database is a server of our own."""
        return self.database_url.startswith(f"{EMBEDDED_SCHEME}:")

    @property
    def embedded_directory(self) -> Path:
        """Directory of the embedded server.

        :raises InvalidInput: when the database is not embedded.
        """
        if not self.is_embedded:
            raise InvalidInput("database URL", self.safe_database_url, "it is not embedded:///...")
        return Path(unquote(urlsplit(self.database_url).path))

    @property
    def safe_database_url(self) -> str:
        """The database URL without its password, for messages."""
        scheme, separator, rest = self.database_url.partition("://")
        if not separator:
            return "(hidden)"
        # By hand: a URL that is wrong enough for a parser to refuse still holds its password.
        address, question, query = rest.partition("?")
        if "@" in query:  # the question mark may be the password's
            return f"{scheme}://(hidden)"
        login, at, host = address.rpartition("@")
        user, colon, _ = login.partition(":")
        shown = f"{scheme}://{user}{':***' if colon else ''}{at}{host}"
        kept = [part for part in query.split("&") if "password=" not in unquote(part).lower()]
        return f"{shown}{question if any(kept) else ''}{'&'.join(kept)}"


def default_home(environ: Mapping[str, str] | None = None) -> Path:
    """Directory of the embedded default: ``$AIRFLOW_HOME/mltrack``."""
    env = os.environ if environ is None else environ
    airflow_home = env.get("AIRFLOW_HOME") or str(Path.home() / "airflow")
    return Path(airflow_home).expanduser().absolute() / "mltrack"


def embedded_settings(home: Path) -> Settings:
    """Return settings of an embedded backend that keeps everything under ``home``."""
    return Settings(
        database_url=f"{EMBEDDED_SCHEME}://{quote(str(home / 'postgres'))}",
        artifact_uri=str(home / "artifacts"),
        spool_dir=str(home / "spool"),
    )


def connection_settings(
    *,
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    schema: str | None,
    extra: Mapping[str, object],
    home: Path | None = None,
) -> Settings:
    """Build settings from the fields of an Airflow connection of type ``mltrack``.

    Without a host the embedded default under ``home`` is used for the database, without
    ``artifact_uri`` in ``extra`` its directory is used for the bytes.

    :param extra: the connection's extra fields; see ``provider_info.py`` for their names.
    :param home: directory of the embedded default; None means :func:`default_home`.
    :raises InvalidInput: when an extra field has a value that is not allowed, or when a remote
        database comes without an ``artifact_uri`` (workers would each write to their own disk).
    """
    defaults = embedded_settings(home or default_home())
    database_url = (
        _postgres_url(host, port, login, password, schema, _ssl_mode(extra))
        or defaults.database_url
    )
    artifact_uri = _text(extra, "artifact_uri")
    if artifact_uri is None and host:
        raise InvalidInput(
            "connection field artifact_uri",
            None,
            "a connection with a database host needs one.",
            "Set it to s3://bucket/prefix, or to a directory that every worker shares.",
        )
    return Settings(
        database_url=database_url,
        artifact_uri=artifact_uri or defaults.artifact_uri,
        s3=_s3_settings(extra),
        trusted_modules=_once(DEFAULT_TRUSTED_MODULES, _names(extra, "trusted_modules")),
        trusted_types=_names(extra, "trusted_types"),
        spool_dir=_text(extra, "spool_dir") or defaults.spool_dir,
        gated_models=_names(extra, "gated_models"),
        webhook_secret=_text(extra, "webhook_secret"),
        webhook_keep_days=_keep_days(extra, "connection field webhook_keep_days"),
    )


def environment_settings(
    environ: Mapping[str, str] | None = None, *, connection: Mapping[str, Any] | None = None
) -> Settings:
    """Read settings from the environment.

    ``MLTRACK_DATABASE_URL`` and ``MLTRACK_ARTIFACT_URI`` win, then ``AIRFLOW_CONN_MLTRACK_DEFAULT``
    (JSON or URI, as Airflow reads it), then the embedded default. ``MLTRACK_TRUSTED_MODULES``,
    ``MLTRACK_TRUSTED_TYPES`` and ``MLTRACK_GATED_MODELS`` add names, comma separated;
    ``MLTRACK_SPOOL_DIR``, ``MLTRACK_WEBHOOK_SECRET``, ``MLTRACK_WEBHOOK_KEEP_DAYS`` and the
    ``MLTRACK_S3_*`` variables replace the fields of the same name.

    :param connection: keywords of :func:`connection_settings` to use in the place of
        ``AIRFLOW_CONN_MLTRACK_DEFAULT``, where Airflow has found the connection elsewhere.
    :raises InvalidInput: when a variable cannot be read.
    """
    env = os.environ if environ is None else environ
    known = _environment_connection(env) if connection is None else connection
    found = connection_settings(**known, home=default_home(env))
    url = env.get("MLTRACK_DATABASE_URL")
    artifact_uri = env.get("MLTRACK_ARTIFACT_URI")
    if url and not artifact_uri and not url.startswith(f"{EMBEDDED_SCHEME}:"):
        raise InvalidInput(
            "MLTRACK_ARTIFACT_URI",
            None,
            "it must be set where MLTRACK_DATABASE_URL names a server.",
            "Set it to s3://bucket/prefix, or to a directory that every worker shares.",
        )
    return Settings(
        database_url=url or found.database_url,
        artifact_uri=artifact_uri or found.artifact_uri,
        s3=_s3_settings(_environment_s3(env), fallback=found.s3),
        trusted_modules=_once(found.trusted_modules, _split(env.get("MLTRACK_TRUSTED_MODULES"))),
        trusted_types=_once(found.trusted_types, _split(env.get("MLTRACK_TRUSTED_TYPES"))),
        spool_dir=env.get("MLTRACK_SPOOL_DIR") or found.spool_dir,
        gated_models=_once(found.gated_models, _split(env.get("MLTRACK_GATED_MODELS"))),
        webhook_secret=env.get("MLTRACK_WEBHOOK_SECRET") or found.webhook_secret,
        webhook_keep_days=_keep_days(
            {"webhook_keep_days": env.get("MLTRACK_WEBHOOK_KEEP_DAYS")},
            "MLTRACK_WEBHOOK_KEEP_DAYS",
            default=found.webhook_keep_days,
        ),
    )


def _environment_connection(env: Mapping[str, str]) -> dict[str, Any]:
    """Read ``AIRFLOW_CONN_MLTRACK_DEFAULT`` into connection fields."""
    name = "AIRFLOW_CONN_MLTRACK_DEFAULT"
    text = env.get(name, "").strip()
    if not text:
        return dict.fromkeys(_CONNECTION_FIELDS) | {"extra": {}}
    try:
        found = _json_connection(text) if text.startswith("{") else _uri_connection(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(name, "(hidden)", f"it is not JSON: {error.msg}.") from error
    except ValueError as error:
        raise InvalidInput(name, "(hidden)", "it is not a connection URI.") from error
    if not isinstance(found["extra"], Mapping):
        raise InvalidInput(name, "(hidden)", "its extra is a JSON object.")
    return found


_CONNECTION_FIELDS = ("host", "port", "login", "password", "schema")


def _json_connection(text: str) -> dict[str, Any]:
    found = json.loads(text)
    extra = found.get("extra") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    return {name: found.get(name) for name in _CONNECTION_FIELDS} | {"extra": extra}


def _uri_connection(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    query = dict(parse_qsl(parts.query))
    extra = json.loads(query.pop("__extra__", "null")) or query
    return {
        "host": _uri_host(parts),
        "port": parts.port,
        "login": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "schema": unquote(parts.path.lstrip("/")) or None,
        "extra": extra,
    }


def _uri_host(parts: SplitResult) -> str | None:
    # As Airflow does: ``hostname`` is in lower case, and a socket's directory may not be.
    written = parts.netloc.rpartition("@")[2].partition(":")[0]
    host = unquote(written)
    return host if "/" in host else parts.hostname


def _environment_s3(env: Mapping[str, str]) -> dict[str, object]:
    prefix = "MLTRACK_S3_"
    return {
        _S3_FIELD_NAMES.get(spec.name, spec.name): env[prefix + spec.name.upper()]
        for spec in fields(S3Settings)
        if prefix + spec.name.upper() in env
    }


_S3_FIELD_NAMES = {
    "access_key_id": "aws_access_key_id",
    "secret_access_key": "aws_secret_access_key",
    "session_token": "aws_session_token",
}


def _s3_settings(extra: Mapping[str, object], fallback: S3Settings | None = None) -> S3Settings:
    base = fallback or S3Settings()
    checksums = _text(extra, "checksums") or base.checksums
    if checksums not in ("when_required", "when_supported"):
        raise InvalidInput("checksums", checksums, "it is when_required or when_supported.")
    return S3Settings(
        endpoint_url=_text(extra, "endpoint_url") or base.endpoint_url,
        region=_text(extra, "region") or base.region,
        access_key_id=_text(extra, "aws_access_key_id") or base.access_key_id,
        secret_access_key=_text(extra, "aws_secret_access_key") or base.secret_access_key,
        session_token=_text(extra, "aws_session_token") or base.session_token,
        path_style=_flag(extra, "path_style", default=base.path_style),
        checksums=checksums,
        verify_tls=_flag(extra, "verify_tls", default=base.verify_tls),
    )


def _postgres_url(
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    schema: str | None,
    sslmode: str | None,
) -> str | None:
    if not host:
        return None
    user = quote(login, safe="") if login else ""
    secret = f":{quote(password, safe='')}" if password else ""
    at = "@" if user else ""
    database = quote(schema or "mltrack", safe="")
    ssl = [f"sslmode={sslmode}"] if sslmode else []
    if host.startswith("/"):  # a unix socket's directory
        query = [f"host={quote(host)}", *([f"port={port}"] if port else []), *ssl]
        return f"postgresql://{user}{secret}{at}/{database}?{'&'.join(query)}"
    if host.count(":") > 1 and "," not in host and not host.startswith("["):  # IPv6
        host = f"[{host}]"
    query_text = f"?{ssl[0]}" if ssl else ""
    return f"postgresql://{user}{secret}{at}{host}:{port or 5432}/{database}{query_text}"


def _ssl_mode(extra: Mapping[str, object]) -> str | None:
    mode = _text(extra, "sslmode")
    if mode is not None and mode not in SSL_MODES:
        raise InvalidInput(
            "connection field sslmode", mode, f"it is one of {', '.join(SSL_MODES)}."
        )
    return mode


def _text(extra: Mapping[str, object], name: str) -> str | None:
    value = extra.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidInput(f"connection field {name}", value, "it is text.")
    return value


def _flag(extra: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = extra.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, bool):
        return value
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in known:
        raise InvalidInput(f"connection field {name}", value, "it is true or false.")
    return known[str(value).lower()]


def _keep_days(extra: Mapping[str, object], what: str, *, default: int = DEFAULT_KEEP_DAYS) -> int:
    value = extra.get("webhook_keep_days")
    if value is None or value == "":
        return default
    rule = f"it is a whole number of days from 1 to {MOST_KEEP_DAYS:,}."
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidInput(what, value, rule)
    try:
        days = int(value)
    except ValueError as error:
        raise InvalidInput(what, value, rule) from error
    if not 1 <= days <= MOST_KEEP_DAYS:
        raise InvalidInput(what, value, rule)
    return days


def _names(extra: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = extra.get(name)
    if isinstance(value, (list, tuple)):
        return tuple(str(item) for item in value)
    return _split(_text(extra, name))


def _once(*groups: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in groups for name in group))


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
