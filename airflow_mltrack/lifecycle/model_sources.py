"""What a version is made of, told by the address that MLflow's clients give.

================================================  =================================================
``models:/m-...``                                  that logged model
``models:/<name>/<version>``                       what that version is made of
``runs:/<run>/<name>``                             the newest model that the run logged as <name>
``runs:/<run>/<directory>``                        a copy of that directory of the run's files
``mlflow-artifacts:/...``                          the same, by the address of the files
``s3://...`` and other addresses                   a package that is kept elsewhere
================================================  =================================================

A directory of a run may be written again; a package never changes. So it is copied.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.tracking.model_logging import complete_model
from airflow_mltrack.tracking.run_artifacts import FileOwner, Upload, store_uploads

if TYPE_CHECKING:
    from airflow_mltrack.artifacts.artifact_store import ArtifactStore
    from airflow_mltrack.entities.artifacts import Artifact, StoredObject
    from airflow_mltrack.entities.models import LoggedModel
    from airflow_mltrack.entities.runs import Run
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

_MODEL = re.compile(r"models:/(?P<id>m-[^/@]+)")
_VERSION = re.compile(r"models:/(?P<name>[^/@]+)/(?P<version>[0-9]{1,9})")
_RUN = re.compile(r"runs:/(?P<run>[^/]+)/(?P<path>.+)")
_SERVED_MODEL = re.compile(r"mlflow-artifacts:/+\d+/models/(?P<id>[^/]+)/artifacts/?")
_SERVED_RUN = re.compile(r"mlflow-artifacts:/+\d+/(?P<run>[^/]+)/artifacts/(?P<path>.+?)/?")
_WHOLE_RUN = re.compile(r"(?:runs:/[^/]+|mlflow-artifacts:/+\d+/[^/]+/artifacts)/*")
_OWN = ("models", "runs", "mlflow-artifacts")
_HERE = ("", "file")
_MOST_DECODINGS = 5
_COPY = "mlflow"
"""Type of a logged model that is a copy of a directory: its name says nothing about what it is."""


def resolve_source(
    client: TrackingClient,
    source: str,
    *,
    run_id: str | None = None,
    model_id: str | None = None,
    may_see: Callable[[Run], bool] = lambda _: True,
) -> LoggedModel | str:
    """Find the package that an address names; a directory of a run becomes one.

    :param run_id: the run that the caller says it is from.
    :param model_id: the logged model that the caller says it is.
    :param may_see: says whether the caller may see a run; what is of another is not found.
    :return: a logged model that is READY, or the address of a package that is kept elsewhere.
    :raises NotFound: when the address leads to nothing.
    :raises InvalidInput: when address, run and model do not belong together, or the address is one
        of a local directory.
    :raises Conflict: when the package is not complete.
    """
    found = _find(client, source, may_see)
    if isinstance(found, str):
        if model_id is None:
            return found
        found = client.transact(lambda tx: tx.models.get(model_id))
    owner = found.run_id
    if owner is not None and not may_see(client.transact(lambda tx: tx.runs.get(owner))):
        raise NotFound("logged model", found.model_id)
    if model_id is not None and found.model_id != model_id:
        raise InvalidInput(
            "model source", source, f"it is logged model {found.model_id}, not {model_id}."
        )
    if run_id is not None and found.run_id != run_id:
        raise InvalidInput(
            "model source", source, f"it is of run {found.run_id or 'none'}, not of {run_id}."
        )
    return _ready(found)


def _find(client: TrackingClient, source: str, may_see: Callable[[Run], bool]) -> LoggedModel | str:
    model = _MODEL.fullmatch(source) or _SERVED_MODEL.fullmatch(source)
    if model:
        return client.transact(lambda tx: tx.models.get(model["id"]))
    if version := _VERSION.fullmatch(source):
        name, number = version["name"], int(version["version"])
        return client.transact(lambda tx: _of_version(tx, name, number))
    run = _RUN.fullmatch(source) or _SERVED_RUN.fullmatch(source)
    if run:
        if not may_see(client.transact(lambda tx: tx.runs.get(run["run"]))):
            raise NotFound("run", run["run"])
        return _of_run(client, run["run"], run["path"].strip("/"))
    if _WHOLE_RUN.fullmatch(source):
        raise InvalidInput(
            "model source",
            source,
            "it names all files of a run.",
            "Name the directory that holds the model: runs:/<run>/<directory>",
        )
    scheme = _scheme(source)
    if scheme in _OWN:
        raise InvalidInput("model source", source, "it has an unknown form.")
    if scheme in _HERE:
        raise InvalidInput(
            "model source",
            source,
            "a local directory is not reachable from here.",
            "Log the model to a run, and register that.",
        )
    if _climbs(source):
        raise InvalidInput(
            "model source", source, "its path has no '..' and no NUL, also percent-decoded."
        )
    return source


def _climbs(source: str) -> bool:
    """Say whether an address means another place than it seems to, decoded as often as it can be.

    What is registered is what people read and approve.
    """
    for _ in range(_MOST_DECODINGS):
        if "\x00" in source or ".." in re.split(r"[/\\?#]", source):
            return True
        source, former = unquote(source), source
        if source == former:
            return False
    return True


def _scheme(source: str) -> str:
    try:
        found = urlsplit(source).scheme
    except ValueError as error:
        raise InvalidInput("model source", source, "it is no address.") from error
    return found if len(found) > 1 else ""  # C:\models is a directory, too


def _of_version(tx: Transaction, name: str, version: int) -> LoggedModel | str:
    found = tx.registry.get_version(name, version)
    return found.source if found.model_id is None else tx.models.get(found.model_id)


def _of_run(client: TrackingClient, run_id: str, path: str) -> LoggedModel:
    """Return the model that a run logged under a name, or a copy of a directory of its files."""

    def look(tx: Transaction) -> tuple[list[LoggedModel], list[Artifact]]:
        run = tx.runs.get(run_id)
        named = tx.models.list(run_id=run_id, name=path)
        logged = [item for item in named if _is_whole(item) and item.model_type != _COPY]
        files = tx.artifacts.walk(attempt_id=run.attempt_id, under=path)
        return logged, [file for file in files if file.path != path]

    logged, files = client.transact(look)
    if logged:
        return logged[0]
    if not files:
        raise NotFound(
            "model", f"runs:/{run_id}/{path}", "The run has neither such a model nor such files."
        )
    return _copy(client, run_id, path, files)


def _copy(client: TrackingClient, run_id: str, path: str, files: list[Artifact]) -> LoggedModel:
    """Make a logged model of files; one that was made of the same files before is taken again."""
    name = path.rpartition("/")[2]
    wanted = {file.path[len(path) + 1 :]: file for file in files}
    digests = {inner: file.sha256 for inner, file in wanted.items()}

    def begin(tx: Transaction) -> LoggedModel:
        run = tx.runs.get(run_id)
        for known in tx.models.list(run_id=run_id, status=LoggedModelStatus.READY):
            held = tx.artifacts.walk(model_id=known.model_id)
            if {file.path: file.sha256 for file in held} == digests:
                return known
        return tx.models.create(
            experiment_id=run.experiment_id,
            name=name,
            run_id=run_id,
            attempt_id=run.attempt_id,
            model_type=_COPY,
        )

    model = client.transact(begin)
    if model.status is LoggedModelStatus.READY:
        return model
    uploads = [_upload(inner, file) for inner, file in wanted.items()]
    try:
        store_uploads(
            client, uploads, root=model.artifact_root, owner=FileOwner(model_id=model.model_id)
        )
    except BaseException as error:
        reason = f"its files could not be copied: {error}"
        client.transact(lambda tx: tx.models.fail(model.model_id, reason))
        raise
    return complete_model(client, model.model_id)


def _upload(path: str, file: Artifact) -> Upload:
    def put(store: ArtifactStore, key: str) -> StoredObject:
        with store.open(file.key, sha256=file.sha256) as stream:
            return store.put_stream(
                key, stream, content_type=file.content_type, size_hint=file.size
            )

    return Upload(path, put, file.size)


def _is_whole(model: LoggedModel) -> bool:
    return model.status is LoggedModelStatus.READY and model.deleted_at is None


def _ready(model: LoggedModel) -> LoggedModel:
    if not _is_whole(model):
        state = "deleted" if model.deleted_at is not None else model.status.value
        raise Conflict(
            "logged model", model.model_id, f"it is {state}, not READY.", "Log the model again."
        )
    return model
