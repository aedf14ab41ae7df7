"""An MLflow server, read through its own protocol; its files come through it, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltrack.artifacts.artifact_key import safe_path
from airflow_mltrack.exceptions import ArtifactUnavailable, DataUnavailable, InvalidInput
from airflow_mltrack.lifecycle.mlflow_import import rest_records as records
from airflow_mltrack.lifecycle.mlflow_import.rest_client import RestClient, quoted, served_path

if TYPE_CHECKING:
    from airflow_mltrack.artifacts.digests import Readable
    from airflow_mltrack.lifecycle.mlflow_import.source import (
        FileOwner,
        SourceExperiment,
        SourceFile,
        SourceModel,
        SourcePoint,
        SourceRegisteredModel,
        SourceRun,
        SourceVersion,
    )

_RUNS = 200
_POINTS = 10_000
_MODELS = 50
_REGISTERED = 100
_VERSIONS = 1_000
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file that the server gives."""

    path: str
    size: int
    client: RestClient
    address: str
    query: Mapping[str, str]

    def open(self) -> AbstractContextManager[Readable]:
        """Open it."""
        return self.client.stream(self.address, self.query, self.path)


class RestSource:
    """Records of an MLflow server.

    It gives no snapshot: nobody should log to it meanwhile, or the import is done once more.

    :param address: ``http://...``, with a prefix if it has one.
    :raises InvalidInput: when it is no address.
    """

    def __init__(self, address: str) -> None:
        self._client = RestClient(address)
        self.address = self._client.address

    def experiments(self) -> Sequence[SourceExperiment]:
        """Return every experiment."""
        query = {"max_results": 1_000, "view_type": "ALL"}
        pages = list(self._client.pages("POST", "/mlflow/experiments/search", query))
        # The way of servers before MLflow 1.28.
        pages = pages or list(self._client.pages("GET", "/mlflow/experiments/list", query))
        found = [
            records.read_experiment(item) for page in pages for item in page.get("experiments", ())
        ]
        if not found:
            words = "it shows no experiment, which every MLflow server has."
            raise DataUnavailable(self.address, words)
        return sorted(found, key=lambda item: (len(item.experiment_id), item.experiment_id))

    def runs(self, experiment_id: str) -> Iterator[SourceRun]:
        """Go through the runs of an experiment page by page."""
        query = {
            "experiment_ids": [experiment_id],
            "run_view_type": "ALL",
            "max_results": _RUNS,
            "order_by": ["attributes.start_time ASC"],
        }
        for page in self._client.pages("POST", "/mlflow/runs/search", query):
            yield from map(records.read_run, page.get("runs", ()))

    def find_run(self, run_id: str) -> SourceRun | None:
        """Return a run."""
        found = self._client.find("/mlflow/runs/get", {"run_id": run_id})
        return None if found is None else records.read_run(found["run"])

    def points(self, run: SourceRun) -> Iterator[SourcePoint]:
        """Go through every point of a run; servers before MLflow 2.3 give a metric at once."""
        for key in run.metrics:
            query = {"run_id": run.run_id, "metric_key": key, "max_results": _POINTS}
            for page in self._client.pages("GET", "/mlflow/metrics/get-history", query):
                yield from map(records.read_point, page.get("metrics", ()))

    def count_points(self, run: SourceRun) -> int:
        """Read every point again to count them: the protocol has no other way."""
        return sum(1 for _ in self.points(run))

    def logged_models(self, experiment_id: str) -> Iterator[SourceModel]:
        """Go through the logged models of an experiment; deleted ones are not shown."""
        query = {"experiment_ids": [experiment_id], "max_results": _MODELS}
        for page in self._client.pages("POST", "/mlflow/logged-models/search", query):
            yield from map(records.read_model, page.get("models", ()))

    def registered_models(self) -> Iterator[SourceRegisteredModel]:
        """Go through the registered models."""
        query = {"max_results": _REGISTERED}
        for page in self._client.pages("GET", "/mlflow/registered-models/search", query):
            for item in page.get("registered_models", ()):
                asked = {"name": item["name"]}
                whole = self._client.get("/mlflow/registered-models/get", asked)
                yield records.read_registered_model(
                    whole["registered_model"], self._versions(item["name"])
                )

    def left_out(self) -> Sequence[str]:
        """Tell what a server does not show."""
        return ["a server does not show logged models and versions that were deleted."]

    def files(self, owner: FileOwner) -> Sequence[SourceFile]:
        """Return the files of a run or a model, as the server lists them."""
        try:
            found = list(self._walk(owner, "", 0))
        except (DataUnavailable, InvalidInput) as error:
            raise ArtifactUnavailable(
                f"files of {owner.kind} {owner.name}", f"the server does not list them: {error}"
            ) from error
        return sorted(found, key=lambda file: file.path)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _versions(self, name: str) -> list[SourceVersion]:
        quote = "'" if '"' in name else '"'
        query = {"filter": f"name={quote}{name}{quote}", "max_results": _VERSIONS}
        found = [
            records.read_version(item)
            for page in self._client.pages("GET", "/mlflow/model-versions/search", query)
            for item in page.get("model_versions", ())
        ]
        return sorted(found, key=lambda item: item.version)

    def _walk(self, owner: FileOwner, directory: str, depth: int) -> Iterator[ServedFile]:
        if depth > _DEEPEST:
            raise InvalidInput("artifact directory", directory, "it is nested too deeply.")
        for item in self._list(owner, directory):
            name = str(item["path"]).rpartition("/")[2]
            path = safe_path(f"{directory}/{name}" if directory else name)
            if item.get("is_dir"):
                yield from self._walk(owner, path, depth + 1)
            else:
                yield self._file(owner, path, int(item.get("file_size") or 0))

    def _list(self, owner: FileOwner, directory: str) -> Sequence[dict[str, Any]]:
        """List a directory; what is not there is empty."""
        served = served_path(owner.location)
        if served is not None:
            query = {"path": f"{served}/{directory}".rstrip("/")}
            found = self._client.find("/mlflow-artifacts/artifacts", query) or {}
            return list(found.get("files", ()))
        if owner.kind == "run":
            query = {"run_id": owner.name} | ({"path": directory} if directory else {})
            path = "/mlflow/artifacts/list"
        else:
            query = {"artifact_directory_path": directory} if directory else {}
            path = f"/mlflow/logged-models/{quoted(owner.name)}/artifacts/directories"
        return [
            item
            for page in self._client.pages("GET", path, query)
            for item in page.get("files", ())
        ]

    def _file(self, owner: FileOwner, path: str, size: int) -> ServedFile:
        served = served_path(owner.location)
        if served is not None:
            address = f"/api/2.0/mlflow-artifacts/artifacts/{quoted(f'{served}/{path}')}"
            return ServedFile(path, size, self._client, address, {})
        if owner.kind == "run":
            query = {"run_id": owner.name, "path": path}
            return ServedFile(path, size, self._client, "/get-artifact", query)
        address = f"/ajax-api/2.0/mlflow/logged-models/{quoted(owner.name)}/artifacts/files"
        return ServedFile(path, size, self._client, address, {"artifact_file_path": path})
