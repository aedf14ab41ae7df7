"""A bucket that refuses or cannot be reached, as whoever trains a model meets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowFailException
from sklearn.linear_model import LogisticRegression

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.exceptions import ArtifactError, ArtifactUnavailable
from airflow_mltrack.operators.train import TrainModelOperator
from airflow_mltrack.settings import S3Settings, Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.artifacts.conftest import BUCKET, Answering
from tests.cli.conftest import CommandLine
from tests.hooks.conftest import DefineConnection, make_context
from tests.operators.conftest import DATASET, RECIPE

KEY, SECRET = "an-access-key", "a-secret-key"
CASES = {
    "nobody listens": (ArtifactUnavailable, "cannot be reached"),
    "no such bucket": (ArtifactError, "the bucket does not exist"),
    "unknown key": (ArtifactError, "the access key is unknown"),
    "wrong secret": (ArtifactError, "the secret key does not fit"),
    "no rights": (ArtifactError, "access denied"),
}
_CODES = {
    "unknown key": "InvalidAccessKeyId",
    "wrong secret": "SignatureDoesNotMatch",
    "no rights": "AccessDenied",
}
Refusing = Callable[[str], Settings]


@pytest.fixture
def refusing(settings: Settings, s3_settings: S3Settings, answering: Answering) -> Refusing:
    """Give settings whose database works and whose bucket does not, in the way of a case."""

    def build(case: str) -> Settings:
        bucket, s3 = BUCKET, s3_settings
        if case == "nobody listens":
            s3 = replace(s3_settings, endpoint_url="http://127.0.0.1:1")
        elif case == "no such bucket":
            bucket = "mltrack-no-such-bucket"
        else:
            s3 = answering(lambda method, path: (403, _CODES[case]))
        return replace(settings, artifact_uri=f"s3://{bucket}/x", s3=s3)

    return build


def as_connection(settings: Settings) -> dict[str, object]:
    """Write settings as the fields of an Airflow connection."""
    parts = urlsplit(settings.database_url)
    return {
        "host": parse_qs(parts.query)["host"][0],
        "login": parts.username,
        "schema": parts.path.lstrip("/"),
        "extra": {
            "artifact_uri": settings.artifact_uri,
            "spool_dir": settings.spool_dir,
            "endpoint_url": settings.s3.endpoint_url,
            "region": settings.s3.region,
            "aws_access_key_id": settings.s3.access_key_id,
            "aws_secret_access_key": settings.s3.secret_access_key,
            "path_style": settings.s3.path_style,
        },
    }


def assert_nothing_recorded(settings: Settings, words: str) -> None:
    """Check that every attempt is FAILED with words, and that no row names bytes."""
    with TrackingClient(settings) as client, client.store.transaction() as tx:
        attempts = tx.connection.exec_driver_sql("SELECT status, error FROM attempts").all()
        assert tx.connection.exec_driver_sql("SELECT count(*) FROM artifacts").scalar() == 0
    assert [attempt.status for attempt in attempts] == ["FAILED"]
    assert words in attempts[0].error
    assert SECRET not in attempts[0].error


@pytest.mark.parametrize("case", ["nobody listens", "no such bucket", "wrong secret"])
def test_a_training_whose_bucket_refuses_fails_with_words_and_closes_its_run(
    case: str, refusing: Refusing, define_connection: DefineConnection
) -> None:
    settings = refusing(case)
    define_connection(**as_connection(settings))
    operator = TrainModelOperator(
        task_id="train", dataset=DATASET, recipe=RECIPE, options={"n_bootstrap": 5}
    )
    kind, words = CASES[case]
    # What a retry may cure is left to Airflow's retries, the rest fails for good.
    expected = kind if kind is ArtifactUnavailable else AirflowFailException
    with pytest.raises(expected, match=words) as refused:
        operator.execute(make_context())  # type: ignore[arg-type]
    assert urlsplit(settings.artifact_uri).netloc in str(refused.value)
    assert SECRET not in str(refused.value)
    assert_nothing_recorded(settings, words)


@pytest.mark.parametrize("case", ["nobody listens", "unknown key"])
def test_a_model_that_cannot_be_stored_is_failed_and_has_no_files(
    case: str, refusing: Refusing
) -> None:
    settings = refusing(case)
    kind, words = CASES[case]
    rows = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
    model = LogisticRegression().fit(rows, [0, 0, 1, 1])
    with TrackingClient(settings) as client:
        with pytest.raises(kind, match=words), client.start_run() as run:
            run.log_model(model, "model", training_data=rows)
        with client.store.transaction() as tx:
            (failed,) = tx.models.list(run_id=run.run_id)
    assert failed.status is LoggedModelStatus.FAILED
    assert words in failed.status_message
    assert_nothing_recorded(settings, words)


@pytest.mark.parametrize("case", CASES)
def test_the_doctor_says_what_is_wrong_with_the_bucket(
    case: str,
    refusing: Refusing,
    mltrack: CommandLine,
    define_connection: DefineConnection,
) -> None:
    define_connection("risk", **as_connection(refusing(case)))
    shown = mltrack("doctor", "--conn-id", "risk", "--format", "json")
    assert shown.code == ExitCode.FAILURE
    found = {row["subject"]: row for row in shown.json}
    assert found["database"]["status"] == "ok"
    assert found["artifact store"]["status"] == "fail"
    assert CASES[case][1] in found["artifact store"]["found"]
    assert found["artifact store"]["next_step"]
    assert SECRET not in shown.out + shown.err
