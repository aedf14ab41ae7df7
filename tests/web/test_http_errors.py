"""Every error of ours has a status and a code, and says no more than it may."""

from __future__ import annotations

import inspect

import pytest
from fastapi import Request

from airflow_mltrack import exceptions
from airflow_mltrack.web.http_errors import HTTP_ERRORS, describe, http_error

REQUEST = Request({"type": "http", "method": "GET", "path": "/x", "headers": [], "server": None})
STATUS_AND_CODE = {
    "MltrackError": (500, "INTERNAL"),
    "NotFound": (404, "NOT_FOUND"),
    "Conflict": (409, "CONFLICT"),
    "InvalidInput": (400, "INVALID_INPUT"),
    "InvalidFilter": (400, "INVALID_FILTER"),
    "UntrustedImport": (400, "UNTRUSTED_IMPORT"),
    "PromotionRefused": (409, "PROMOTION_REFUSED"),
    "ApprovalRefused": (403, "APPROVAL_REFUSED"),
    "SweepFailed": (500, "SWEEP_FAILED"),
    "DataUnavailable": (503, "DATA_UNAVAILABLE"),
    "StoreError": (500, "STORE_FAILED"),
    "StoreUnavailable": (503, "STORE_UNAVAILABLE"),
    "LoginRefused": (500, "STORE_LOGIN_REFUSED"),
    "SchemaOutOfDate": (500, "SCHEMA_OUT_OF_DATE"),
    "ArtifactError": (500, "ARTIFACT_FAILED"),
    "ArtifactUnavailable": (503, "ARTIFACTS_UNAVAILABLE"),
    "ArtifactCorrupt": (500, "ARTIFACT_CORRUPT"),
    "ModelPackageError": (500, "MODEL_PACKAGE_FAILED"),
    "UnsupportedModel": (500, "MODEL_UNSUPPORTED"),
    "UntrustedPackage": (500, "MODEL_PACKAGE_UNTRUSTED"),
    "EnvironmentMismatch": (500, "ENVIRONMENT_MISMATCH"),
}
"""What clients rely on: changing a line breaks them."""


def test_every_error_class_has_the_status_and_the_code_that_clients_know() -> None:
    ours = {
        name: (HTTP_ERRORS[kind].status, HTTP_ERRORS[kind].code) if kind in HTTP_ERRORS else None
        for name, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, exceptions.MltrackError)
    }

    assert ours == STATUS_AND_CODE


def test_each_code_stands_for_one_class() -> None:
    codes = [answer.code for answer in HTTP_ERRORS.values()]

    assert len(set(codes)) == len(codes)


def test_class_of_a_later_release_is_answered_as_its_parent() -> None:
    class Stale(exceptions.Conflict):
        pass

    assert http_error(Stale("run", "x", "Changed.")) == HTTP_ERRORS[exceptions.Conflict]
    assert http_error(KeyError("x")).status == 500


@pytest.mark.parametrize(
    ("error", "message", "reasons", "hint"),
    [
        (
            exceptions.NotFound("run", "x", "See the list."),
            "run 'x' does not exist.",
            (),
            "See the list.",
        ),
        (exceptions.NotFound("run", "x"), "run 'x' does not exist.", (), ""),
        (
            exceptions.PromotionRefused("m", 2, "Live", ["no verdict", "no reason"], "Judge."),
            "m version 2 may not become Live.",
            ("no verdict", "no reason"),
            "Judge.",
        ),
        (
            exceptions.Conflict("intent", "i", "it moved version 1.", "Use another."),
            "intent 'i': it moved version 1.",
            (),
            "Use another.",
        ),
    ],
)
def test_error_is_taken_apart_and_nothing_is_said_twice(
    error: Exception, message: str, reasons: tuple[str, ...], hint: str
) -> None:
    facts = describe(error, REQUEST)

    assert (facts.message, facts.reasons, facts.hint) == (message, reasons, hint)
    for part in (message.rstrip("."), *reasons, hint):
        assert part in facts.sentence


@pytest.mark.parametrize("kind", [kind for kind, answer in HTTP_ERRORS.items() if not answer.shown])
def test_words_that_may_name_a_place_stay_in_the_log(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    error.args = ("postgresql://db.internal /srv/private",)

    facts = describe(error, REQUEST)

    assert "internal" not in facts.sentence
    assert "/srv" not in facts.sentence
    assert "under reference" in facts.hint
