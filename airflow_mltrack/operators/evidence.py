"""Write down everything that is recorded of a model version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_mltrack.hooks.identity import actor_of
from airflow_mltrack.hooks.run_link import RunLink
from airflow_mltrack.operators.inputs import flag, version_number
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook

FOLDER = "evidence"
"""Directory of the run that the pack is put in."""


class ModelEvidenceOperator(MltrackOperator):
    """Write the evidence pack of a version, and keep it as an artifact of the task's run.

    The pack is one archive for auditors: a report for people, the same facts as JSON, the files of
    the verdict, the proof of the history, and the sha256 of every file. Pushes ``run_id``,
    ``path`` (of the artifact in that run), ``artifact_uri``, ``sha256``, ``size`` and ``output``
    (where the copy is, None without one) to XCom, each also under its own key.

    :param name: registered model name (templated).
    :param version: version number (templated).
    :param output_uri: where to put a copy: a path or a URI of Airflow's object storage (templated);
        one that ends in ``/`` is a directory. None makes no copy.
    :param include_package: put the model file itself into the pack as well (templated).
    :param experiment: experiment of the run (templated); None means the Dag's id.
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = (
        "name",
        "version",
        "output_uri",
        "include_package",
        "experiment",
        "mltrack_conn_id",
    )
    operator_extra_links = (RunLink(),)

    def __init__(
        self,
        *,
        name: str,
        version: int | str,
        output_uri: str | None = None,
        include_package: bool | str = False,
        experiment: str | None = None,
        mltrack_conn_id: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mltrack_conn_id=mltrack_conn_id, multiple_outputs=multiple_outputs, **kwargs
        )
        self.name = name
        self.version = version
        self.output_uri = output_uri
        self.include_package = include_package
        self.experiment = experiment

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Write the pack, keep it, and return where it is."""
        from airflow_mltrack.hooks.current_run import task_run
        from airflow_mltrack.lifecycle.evidence.pack import write_evidence

        version, whole = version_number(self.version), flag("include_package", self.include_package)
        with (
            task_run(context, hook, experiment=self.experiment) as run,
            TemporaryDirectory(prefix="mltrack-evidence-") as directory,
        ):
            pack = write_evidence(
                hook.client,
                self.name,
                version,
                directory,
                actor=actor_of(context),
                include_package=whole,
            )
            run.log_artifact(pack.path, FOLDER)
            output = _copy(pack.path, self.output_uri)
        path = f"{FOLDER}/{pack.path.name}"
        self.log.info("Wrote %s (%d bytes, sha256 %s)", path, pack.size, pack.sha256)
        return {
            "run_id": run.run_id,
            "path": path,
            "artifact_uri": f"runs:/{run.run_id}/{path}",
            "sha256": pack.sha256,
            "size": pack.size,
            "output": output,
        }


def _copy(source: Path, output_uri: str | None) -> str | None:
    if not output_uri:
        return None
    from airflow.sdk import ObjectStoragePath

    target = f"{output_uri}{source.name}" if output_uri.endswith("/") else output_uri
    path = ObjectStoragePath(target)
    if urlsplit(target).scheme in ("", "file"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as read, path.open("wb") as written:  # type: ignore[no-untyped-call]
        while block := read.read(1 << 20):
            written.write(block)
    return target
