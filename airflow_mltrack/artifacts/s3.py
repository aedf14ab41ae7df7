"""An artifact store in a bucket of any S3-compatible server."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from airflow_mltrack.artifacts import s3_multipart
from airflow_mltrack.artifacts.artifact_key import (
    MAX_KEY_BYTES,
    guess_content_type,
    safe_path,
)
from airflow_mltrack.artifacts.artifact_store import (
    MAX_PARTS,
    ArtifactStore,
    MultipartUpload,
    StoredKey,
    check_expiry,
    check_parts,
    safe_prefix,
)
from airflow_mltrack.artifacts.digests import (
    CHUNK,
    HashingReader,
    Readable,
    VerifyingReader,
)
from airflow_mltrack.artifacts.s3_download import PARALLEL_RANGES, download
from airflow_mltrack.artifacts.s3_errors import error_code, s3_errors
from airflow_mltrack.entities.artifacts import StoredObject
from airflow_mltrack.exceptions import ArtifactError, InvalidInput

if TYPE_CHECKING:
    from boto3.s3.transfer import TransferConfig
    from mypy_boto3_s3.client import S3Client

    from airflow_mltrack.settings import S3Settings

PART_BYTES = 5 * 1024 * 1024
"""Size of a part, S3's least; larger only where 10,000 parts would not hold the file."""
PARALLEL_PARTS = 4
"""Parts under way at a time; they and one more are what a transfer keeps in memory."""
RETRIES = 4
"""Times that boto3 tries a request, with pauses in between."""
_DELETE_BATCH = 1_000
_LIST_PAGE = 1_000
_NO_BATCH_DELETE = ("NotImplemented", "MissingContentMD5", "InvalidRequest", "MethodNotAllowed")


class S3ArtifactStore(ArtifactStore):
    """Bytes in a bucket: key ``a/b`` of ``s3://bucket/prefix`` is the object ``prefix/a/b``.

    Files larger than one part go as a multipart upload whose parts travel in parallel; the upload
    is aborted when it fails. Memory stays near ``(PARALLEL_PARTS + 1) * PART_BYTES`` up to 50 GB
    and grows with the part size that S3's limit of 10,000 parts asks for above that.

    :param uri: ``s3://bucket`` or ``s3://bucket/prefix``.
    :param settings: how to reach the server.
    """

    parallel_puts = 8
    takes_parts = True

    def __init__(self, uri: str, settings: S3Settings) -> None:
        parts = urlsplit(uri)
        prefix = unquote(parts.path).strip("/")
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise InvalidInput("artifact URI", uri, "it is s3://bucket or s3://bucket/prefix.")
        self.bucket = parts.netloc
        self._prefix = f"{safe_path(prefix)}/" if prefix else ""
        self._settings = settings
        self._made_by: tuple[int, S3Client] | None = None
        self.uri = f"s3://{self.bucket}/{prefix}".rstrip("/")

    def put_stream(
        self,
        key: str,
        stream: Readable,
        *,
        content_type: str | None = None,
        size_hint: int | None = None,
    ) -> StoredObject:
        """Store what ``stream`` gives until its end."""
        name = self._name(key)
        kind = content_type or guess_content_type(key)
        source = HashingReader(stream)
        head = source.read(PART_BYTES)
        with self._errors(key):
            if len(head) < PART_BYTES:
                self._client.put_object(Bucket=self.bucket, Key=name, Body=head, ContentType=kind)
            else:
                source.push_back(head)
                del head
                self._client.upload_fileobj(
                    cast("BinaryIO", source),
                    self.bucket,
                    name,
                    ExtraArgs={"ContentType": kind},
                    Config=_transfer_config(size_hint or 0),
                )
        return StoredObject(key, source.size, source.hexdigest(), kind)

    def open(self, key: str, *, sha256: str | None = None) -> BinaryIO:
        """Open for streaming."""
        name = self._name(key)
        with self._errors(key):
            answer = self._client.get_object(Bucket=self.bucket, Key=name)
        body = answer["Body"]
        reader = VerifyingReader(
            _ErrorReader(body, self._errors, key),
            key=key,
            size=answer["ContentLength"],
            sha256=sha256,
            close=body.close,
        )
        return cast("BinaryIO", io.BufferedReader(reader, CHUNK))

    def delete(self, key: str) -> None:
        """Remove one key."""
        with self._errors(key):
            self._client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def delete_prefix(self, prefix: str) -> int:
        """Remove everything below a directory; return how many keys that was."""
        keys = (stored.key for stored in self.list(safe_path(prefix.rstrip("/"))))
        count = 0
        while batch := list(islice(keys, _DELETE_BATCH)):
            with self._errors(prefix):
                self._delete_batch(batch)
            count += len(batch)
        return count

    def stat(self, key: str) -> int:
        """Return the size in bytes."""
        with self._errors(key):
            return self._client.head_object(Bucket=self.bucket, Key=self._name(key))[
                "ContentLength"
            ]

    def list(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[StoredKey]:
        """Go through the keys below a directory."""
        below = self._prefix + safe_prefix(prefix)
        after = self._prefix + start_after if start_after else ""
        return self._pages(prefix, below, after)

    def presign(self, key: str, *, expires: int, download_name: str | None = None) -> str | None:
        """Return a URL that lets anyone read the key for a while."""
        params = {"Bucket": self.bucket, "Key": self._name(key)}
        if download_name is not None:
            params["ResponseContentDisposition"] = _attachment(download_name)
        with self._errors(key):
            return self._client.generate_presigned_url(
                "get_object", Params=params, ExpiresIn=check_expiry(expires)
            )

    def create_multipart(self, key: str, *, parts: int, expires: int) -> MultipartUpload:
        """Let others send an object in parts."""
        place = self.bucket, self._name(key)
        check_parts(parts)
        check_expiry(expires)
        with self._errors(key):
            upload_id = s3_multipart.create(self._client, *place, guess_content_type(key))
            urls = s3_multipart.part_urls(self._client, *place, upload_id, parts, expires)
        return MultipartUpload(upload_id, urls)

    def complete_multipart(
        self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> None:
        """Put the parts of an upload together."""
        name = self._name(key)
        with self._errors(key):
            s3_multipart.complete(self._client, self.bucket, name, upload_id, parts)

    def abort_multipart(self, key: str, upload_id: str) -> None:
        """Throw away the parts of an upload."""
        name = self._name(key)
        with self._errors(key):
            s3_multipart.abort(self._client, self.bucket, name, upload_id)

    def close(self) -> None:
        """Close idle connections."""
        made, self._made_by = self._made_by, None
        if made is not None and made[0] == os.getpid():
            made[1].close()

    def _fetch(self, key: str, file: io.FileIO) -> str:
        name = self._name(key)
        with self._errors(key):
            return download(self._client, self.bucket, name, file)

    @property
    def _client(self) -> S3Client:
        """The client of this process: sockets must not be shared with a forked child."""
        if self._made_by is None or self._made_by[0] != os.getpid():
            self._made_by = (os.getpid(), _make_client(self._settings))
        return self._made_by[1]

    def _errors(self, key: str) -> AbstractContextManager[None]:
        return s3_errors(self.bucket, self._prefix + key, self._settings.endpoint_url)

    def _name(self, key: str) -> str:
        name = self._prefix + safe_path(key)
        if len(name.encode()) > MAX_KEY_BYTES:
            raise InvalidInput(
                "artifact path", name, f"with its prefix it is longer than {MAX_KEY_BYTES} bytes."
            )
        return name

    def _pages(self, prefix: str, below: str, after: str) -> Iterator[StoredKey]:
        client = self._client
        token: dict[str, str] = {"StartAfter": after} if after else {}
        while True:
            with self._errors(prefix or "/"):
                page = client.list_objects_v2(
                    Bucket=self.bucket,
                    Prefix=below,
                    MaxKeys=_LIST_PAGE,
                    **token,  # type: ignore[arg-type]
                )
            for item in page.get("Contents", ()):
                if not item["Key"].endswith("/"):  # consoles make such objects for empty folders
                    yield StoredKey(item["Key"][len(self._prefix) :], item["Size"])
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _delete_batch(self, keys: Sequence[str]) -> None:
        from botocore.exceptions import ClientError

        try:
            answer = self._client.delete_objects(
                Bucket=self.bucket,
                Delete={"Objects": [{"Key": self._prefix + key} for key in keys], "Quiet": True},
            )
        except ClientError as error:
            # Some servers know no batches, older ones want an MD5 that boto3 no longer sends.
            if error_code(error) not in _NO_BATCH_DELETE:
                raise
            for key in keys:
                self.delete(key)
            return
        for failed in answer.get("Errors", ()):
            raise ArtifactError(
                failed.get("Key", ""), f"bucket {self.bucket}: not deleted ({failed.get('Code')})."
            )


class _ErrorReader:
    """A body whose read errors are ours."""

    def __init__(self, body: Readable, errors: object, key: str) -> None:
        self._body, self._errors, self._key = body, errors, key

    def read(self, size: int = -1, /) -> bytes:
        with self._errors(self._key):  # type: ignore[operator]
            return self._body.read(size)


def _make_client(settings: S3Settings) -> S3Client:
    import boto3
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",  # presigned URLs would else be signed the old way
        s3={
            "addressing_style": "path" if settings.path_style else "auto",
            # Over plain http boto3 would hash every part once more, to sign it. The digest of the
            # whole is recorded anyway and verified at every read.
            "payload_signing_enabled": False,
        },
        request_checksum_calculation=settings.checksums,  # type: ignore[arg-type]
        response_checksum_validation=settings.checksums,  # type: ignore[arg-type]
        retries={"mode": "standard", "total_max_attempts": RETRIES},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=PARALLEL_RANGES * 2,
    )
    session = boto3.session.Session(
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        aws_session_token=settings.session_token,
        region_name=settings.region,
    )
    return session.client(
        "s3",
        endpoint_url=settings.endpoint_url,
        verify=None if settings.verify_tls else False,
        config=config,
    )


def _transfer_config(size: int) -> TransferConfig:
    """Choose part sizes: as small as 10,000 parts allow, fewer at a time when they are large."""
    from boto3.s3.transfer import TransferConfig

    part = max(PART_BYTES, -(-size // MAX_PARTS))
    parallel = max(1, PARALLEL_PARTS * PART_BYTES // part)
    config = TransferConfig(
        multipart_threshold=PART_BYTES,
        multipart_chunksize=part,
        max_concurrency=parallel,
        max_io_queue=8,
        io_chunksize=CHUNK,
        preferred_transfer_client="classic",
    )
    # boto3 hands these two of s3transfer's own settings on, but has no argument for them.
    config.max_in_memory_upload_chunks = parallel
    config.max_in_memory_download_chunks = parallel
    return config


def _attachment(name: str) -> str:
    """Build a Content-Disposition that no file name can break out of."""
    from urllib.parse import quote

    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"
