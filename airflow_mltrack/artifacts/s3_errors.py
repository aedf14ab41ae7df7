"""Errors of boto3 and of S3 servers in our words, with bucket and key, without credentials."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from airflow_mltrack.exceptions import ArtifactError, ArtifactUnavailable, MltrackError, NotFound

_MISSING = ("NoSuchKey", "404", "NotFound")
_DENIED = {
    "AccessDenied": "access denied. Check the policy of the user and of the bucket",
    "403": "access denied. Check the credentials and the policy of the bucket",
    "Forbidden": "access denied. Check the credentials and the policy of the bucket",
    "InvalidAccessKeyId": "the access key is unknown to the server. Check the credentials",
    "SignatureDoesNotMatch": "the secret key does not fit the access key. Check the credentials",
    "ExpiredToken": "the session token has expired. Get a new one",
    "InvalidToken": "the session token is not valid. Get a new one",
    "NoSuchBucket": "the bucket does not exist. Create it, or correct the artifact URI",
    "PermanentRedirect": "the bucket lives elsewhere. Set the region or the endpoint",
    "AuthorizationHeaderMalformed": "the region is wrong. Set the bucket's region",
    "EntityTooLarge": "the object is too large for this server",
}
_RETRYABLE = (
    "SlowDown",
    "RequestTimeout",
    "ServiceUnavailable",
    "InternalError",
    "Throttling",
    "ThrottlingException",
    "RequestTimeTooSkewed",
    "XMinioStorageFull",
    "QuotaExceeded",
)


@contextlib.contextmanager
def s3_errors(bucket: str, key: str, endpoint: str | None) -> Iterator[None]:
    """Turn errors of boto3 into ours.

    :raises NotFound: when the key does not exist.
    :raises ArtifactUnavailable: when a retry may help.
    :raises ArtifactError: otherwise.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except MltrackError:
        raise
    except ClientError as error:
        raise _from_answer(error, bucket, key) from error
    except (BotoCoreError, Boto3Error) as error:
        raise _from_client(error, bucket, key, endpoint) from error


def error_code(error: Exception) -> str:
    """Return the S3 error code of a ``ClientError``."""
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _from_answer(error: Exception, bucket: str, key: str) -> MltrackError:
    code = error_code(error)
    response = getattr(error, "response", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _MISSING:
        return NotFound("artifact", key, f"It is not in bucket {bucket}.")
    if code in _DENIED:
        return ArtifactError(key, f"bucket {bucket}: {_DENIED[code]}.")
    if code in _RETRYABLE or status >= 500 or status == 429:
        return ArtifactUnavailable(key, f"bucket {bucket}: the server answered {code} ({status}).")
    return ArtifactError(key, f"bucket {bucket}: the server refused with {code} ({status}).")


def _from_client(error: Exception, bucket: str, key: str, endpoint: str | None) -> ArtifactError:
    """Word an error that happened before or between the server's answers."""
    from botocore import exceptions as botocore_errors

    where = f"bucket {bucket} at {_without_user(endpoint)}" if endpoint else f"bucket {bucket}"
    kind = type(error).__name__
    missing = (botocore_errors.NoCredentialsError, botocore_errors.PartialCredentialsError)
    if isinstance(error, missing):
        return ArtifactError(
            key,
            f"{where}: no credentials were found. Set the access keys of the mltrack connection, "
            "MLTRACK_S3_ACCESS_KEY_ID and MLTRACK_S3_SECRET_ACCESS_KEY, or AWS's own chain.",
        )
    if isinstance(error, botocore_errors.SSLError):
        return ArtifactError(
            key, f"{where}: the TLS certificate was not accepted. Add its CA to AWS_CA_BUNDLE."
        )
    unreachable = (
        botocore_errors.ConnectionError,
        botocore_errors.HTTPClientError,
        botocore_errors.IncompleteReadError,
    )
    if isinstance(error, unreachable):
        return ArtifactUnavailable(key, f"{where} cannot be reached ({kind}).")
    if kind in ("S3UploadFailedError", "RetriesExceededError"):
        return ArtifactUnavailable(key, f"{where}: the transfer failed too often ({kind}).")
    return ArtifactError(key, f"{where}: {kind}.")


def _without_user(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
