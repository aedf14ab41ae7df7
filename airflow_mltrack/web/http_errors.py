"""Translates errors into HTTP: one table of statuses and codes, for pages and for the JSON API."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_mltrack import exceptions

if TYPE_CHECKING:
    from fastapi import Request

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HttpError:
    """How a class of errors is answered."""

    status: int
    code: str
    shown: bool = True
    """Whether its words may be read by whoever asked. Words that may name a host or a place are
    not: the log gets them, and the reader a reference that finds them there."""


_INTERNAL = HttpError(500, "INTERNAL", shown=False)

HTTP_ERRORS: dict[type[Exception], HttpError] = {
    exceptions.MltrackError: _INTERNAL,
    exceptions.NotFound: HttpError(404, "NOT_FOUND"),
    exceptions.Conflict: HttpError(409, "CONFLICT"),
    exceptions.InvalidInput: HttpError(400, "INVALID_INPUT"),
    exceptions.InvalidFilter: HttpError(400, "INVALID_FILTER"),
    exceptions.UntrustedImport: HttpError(400, "UNTRUSTED_IMPORT"),
    exceptions.PromotionRefused: HttpError(409, "PROMOTION_REFUSED"),
    exceptions.ApprovalRefused: HttpError(403, "APPROVAL_REFUSED"),
    exceptions.SweepFailed: HttpError(500, "SWEEP_FAILED", shown=False),
    exceptions.DataUnavailable: HttpError(503, "DATA_UNAVAILABLE", shown=False),
    exceptions.StoreError: HttpError(500, "STORE_FAILED", shown=False),
    exceptions.StoreUnavailable: HttpError(503, "STORE_UNAVAILABLE", shown=False),
    exceptions.LoginRefused: HttpError(500, "STORE_LOGIN_REFUSED", shown=False),
    exceptions.SchemaOutOfDate: HttpError(500, "SCHEMA_OUT_OF_DATE"),
    exceptions.ArtifactError: HttpError(500, "ARTIFACT_FAILED", shown=False),
    exceptions.ArtifactUnavailable: HttpError(503, "ARTIFACTS_UNAVAILABLE", shown=False),
    exceptions.ArtifactCorrupt: HttpError(500, "ARTIFACT_CORRUPT"),
    exceptions.ModelPackageError: HttpError(500, "MODEL_PACKAGE_FAILED", shown=False),
    exceptions.UnsupportedModel: HttpError(500, "MODEL_UNSUPPORTED", shown=False),
    exceptions.UntrustedPackage: HttpError(500, "MODEL_PACKAGE_UNTRUSTED", shown=False),
    exceptions.EnvironmentMismatch: HttpError(500, "ENVIRONMENT_MISMATCH", shown=False),
}
"""The only translation of errors into HTTP; a class without an entry has its parent's."""


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """An error in the form in which it is answered."""

    status: int
    code: str
    message: str
    reasons: tuple[str, ...] = ()
    """Everything that is missing or wrong, one sentence each, where there can be several things."""
    hint: str = ""
    """The next step."""

    @property
    def sentence(self) -> str:
        """Message, reasons and hint in one text."""
        listed = "".join(f"\n  - {reason}" for reason in self.reasons)
        return "".join([self.message, listed, "\n" if listed else " ", self.hint]).strip()


def http_error(error: Exception) -> HttpError:
    """Return how an error is answered: as its class, or its nearest parent."""
    found = (HTTP_ERRORS[kind] for kind in type(error).__mro__ if kind in HTTP_ERRORS)
    return next(found, _INTERNAL)


def describe(error: Exception, request: Request) -> ErrorFacts:
    """Put an error into words for whoever asked; what they may not read goes to the log."""
    answer = http_error(error)
    if answer.shown:
        return _shown(error, answer)
    reference = uuid.uuid4().hex[:12]
    log.error(
        "%s of %r failed, reference %s", request.method, request.url.path, reference, exc_info=error
    )
    away = answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    subject = "The artifact store" if isinstance(error, exceptions.ArtifactError) else "Tracking"
    message = f"{subject} {'cannot be reached now' if away else 'has failed'}."
    hint = f"The web server's log tells why, under reference {reference}."
    return ErrorFacts(answer.status, answer.code, message, hint=hint)


def _shown(error: Exception, answer: HttpError) -> ErrorFacts:
    """Take an error's own words apart: what happened, why, and the next step."""
    reasons = tuple(getattr(error, "reasons", ()))
    hint = str(getattr(error, "hint", ""))
    message = str(error)
    if reasons:
        message = message.partition("\n")[0].rstrip(":") + "."
    elif hint:
        message = message.removesuffix(hint).rstrip()
    return ErrorFacts(answer.status, answer.code, message, reasons, hint)
