"""Multipart uploads of S3 whose parts somebody else sends, to URLs that are signed here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_mltrack.artifacts.s3_errors import error_code
from airflow_mltrack.exceptions import InvalidInput, NotFound

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_BAD_PARTS = {
    "InvalidPart": "one was not sent, or is not the one that was sent last under its number.",
    "InvalidPartOrder": "their numbers go up, each once.",
    "EntityTooSmall": "every part but the last has 5 MiB or more.",
    "MalformedXML": "there is at least one, each with a number and an ETag.",
}


def create(client: S3Client, bucket: str, name: str, content_type: str) -> str:
    """Begin an upload; return its id."""
    answer = client.create_multipart_upload(Bucket=bucket, Key=name, ContentType=content_type)
    return answer["UploadId"]


def part_urls(
    client: S3Client, bucket: str, name: str, upload_id: str, parts: int, expires: int
) -> Sequence[str]:
    """Sign a URL for each part. It writes this part of this upload, and nothing else."""
    place = {"Bucket": bucket, "Key": name, "UploadId": upload_id}
    return [
        client.generate_presigned_url(
            "upload_part", Params={**place, "PartNumber": number}, ExpiresIn=expires
        )
        for number in range(1, parts + 1)
    ]


def complete(
    client: S3Client, bucket: str, name: str, upload_id: str, parts: Sequence[tuple[int, str]]
) -> None:
    """Put the parts together.

    :raises NotFound: when there is no such upload.
    :raises InvalidInput: when the parts are not those that were sent.
    """
    with _refusals(name, upload_id):
        _look_up(client, bucket, name, upload_id)
        client.complete_multipart_upload(
            Bucket=bucket,
            Key=name,
            UploadId=upload_id,
            MultipartUpload={
                "Parts": [{"PartNumber": number, "ETag": etag} for number, etag in sorted(parts)]
            },
        )


def abort(client: S3Client, bucket: str, name: str, upload_id: str) -> None:
    """Throw the parts away.

    :raises NotFound: when there is no such upload.
    """
    with _refusals(name, upload_id):
        client.abort_multipart_upload(Bucket=bucket, Key=name, UploadId=upload_id)


def _look_up(client: S3Client, bucket: str, name: str, upload_id: str) -> None:
    """Ask for an upload: some servers fail when they are to complete one that they do not know."""
    from botocore.exceptions import ClientError

    try:
        client.list_parts(Bucket=bucket, Key=name, UploadId=upload_id, MaxParts=1)
    except ClientError as error:
        if error_code(error) not in ("AccessDenied", "NotImplemented"):
            raise


@contextlib.contextmanager
def _refusals(name: str, upload_id: str) -> Iterator[None]:
    """Word what a server refuses because of whoever sent the parts."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if code == "NoSuchUpload":
            raise NotFound("multipart upload", upload_id, f"There is none of {name}.") from error
        if code in _BAD_PARTS:
            hint = "Send the parts again in a new upload."
            raise InvalidInput("parts of the upload", name, _BAD_PARTS[code], hint) from error
        raise
