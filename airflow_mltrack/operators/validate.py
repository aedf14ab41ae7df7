"""Judge a model version by its gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mltrack.hooks.identity import actor_of, facts_of
from airflow_mltrack.hooks.run_link import RunLink
from airflow_mltrack.operators.inputs import choice, dataset_spec, split_spec, version_number
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.entities.verdicts import CheckResult, Verdict
    from airflow_mltrack.hooks.mltrack import MltrackHook

ON_FAILURE = ("fail", "skip", "continue")
_ENDS = {"fail": AirflowFailException, "skip": AirflowSkipException}


class ValidateModelOperator(MltrackOperator):
    """Judge a model version on rows that no training has seen, and write the verdict.

    Where a gate compares with the live version, that one is loaded and scored on the same rows. The
    verdict is recorded whatever it says; its evidence are artifacts of the task's run. Pushes
    ``name``, ``version``, ``passed``, ``verdict_id``, ``champion_version``, ``failed_checks``,
    ``warnings`` and ``run_id`` to XCom, each also under its own key.

    :param name: registered model name (templated).
    :param version: version number (templated).
    :param dataset: keys of :class:`~airflow_mltrack.training.dataset.DatasetSpec`: ``uri``,
        ``target``, ... (templated). None takes the test rows of the version's own training.
    :param split: keys of :class:`~airflow_mltrack.training.splits.SplitSpec`, whose test rows are
        then scored (templated); None scores every row of ``dataset``. Rows that the training used
        are refused.
    :param policy: what to judge by (templated), see :mod:`airflow_mltrack.lifecycle.policy`; None
        means the registered model's own gates, the only ones that open Production.
    :param on_failure: what a verdict that did not pass does to the task: ``fail`` it (without
        retries), ``skip`` it and so what follows, or ``continue``.
    :param experiment: experiment of the task's run (templated); None means the Dag's id.
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = (
        "name",
        "version",
        "dataset",
        "split",
        "policy",
        "on_failure",
        "experiment",
        "mltrack_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "dataset": "json",
        "split": "json",
        "policy": "json",
    }
    operator_extra_links = (RunLink(),)

    def __init__(
        self,
        *,
        name: str,
        version: int | str,
        dataset: Mapping[str, object] | str | None = None,
        split: Mapping[str, object] | None = None,
        policy: Mapping[str, object] | None = None,
        on_failure: str = "fail",
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
        self.dataset = dataset
        self.split = split
        self.policy = policy
        self.on_failure = on_failure
        self.experiment = experiment

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Judge, report, and return the verdict's ids."""
        from airflow_mltrack.hooks.current_run import task_run
        from airflow_mltrack.hooks.data import make_opener
        from airflow_mltrack.lifecycle.validation import validate_version

        on_failure = choice("on_failure", self.on_failure, ON_FAILURE)
        with task_run(context, hook, experiment=self.experiment) as run:
            verdict = validate_version(
                hook.client,
                self.name,
                version_number(self.version),
                actor=actor_of(context),
                dataset=dataset_spec(self.dataset) if self.dataset else None,
                split=split_spec(self.split),
                policy=self.policy,
                run=run,
                opener=make_opener(hook),
                details=facts_of(context),
            )
        self._report(verdict)
        return _outcome(verdict, on_failure)

    def _report(self, verdict: Verdict) -> None:
        self.log.info("::group::Verdict on %s version %d", verdict.name, verdict.version)
        for check in verdict.checks:
            self.log.info("%s", describe_check(check))
        self.log.info("::endgroup::")
        for check in verdict.checks:
            if check.warns:  # outside the group, which the log folds away
                self.log.warning("%s", describe_check(check))
        self.log.info(
            "%s version %d: %s (verdict %s, %s)",
            verdict.name,
            verdict.version,
            "passed" if verdict.passed else "did not pass",
            verdict.verdict_id,
            _opponent(verdict),
        )


def _outcome(verdict: Verdict, on_failure: str) -> dict[str, object]:
    failed = [check for check in verdict.checks if check.blocks]
    if failed and on_failure != "continue":
        found = "; ".join(describe_check(check) for check in failed)
        message = f"{verdict.name} version {verdict.version} did not pass. {found}"
        raise _ENDS[on_failure](message)
    return {
        "name": verdict.name,
        "version": verdict.version,
        "passed": verdict.passed,
        "verdict_id": verdict.verdict_id,
        "champion_version": verdict.champion_version,
        "failed_checks": [check.name for check in failed],
        "warnings": [check.name for check in verdict.checks if check.warns],
        "run_id": verdict.run_id,
    }


def describe_check(check: CheckResult) -> str:
    """Say in one line what a check found."""
    mark = "FAIL" if check.blocks else "warn" if check.warns else "pass"
    if check.message:
        return f"{mark}  {check.name}: {check.message}"
    return f"{mark}  {check.name}: {check.observed} {check.comparison} {check.threshold}"


def _opponent(verdict: Verdict) -> str:
    if verdict.champion_version is None:
        return "no version is live"
    return f"version {verdict.champion_version} is live"
