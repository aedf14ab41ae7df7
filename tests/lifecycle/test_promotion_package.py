"""The bytes that were judged are the bytes that go live."""

from __future__ import annotations

import hashlib

import psycopg
import pytest

from airflow_mltrack.entities.artifacts import Artifact
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.exceptions import PromotionRefused
from airflow_mltrack.lifecycle.audit import list_history
from airflow_mltrack.lifecycle.package_check import check_package
from airflow_mltrack.lifecycle.promotion import live_version, missing_for, promote
from airflow_mltrack.model_package.manifest import digest_of_files
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVerdict, AddVersion


@pytest.fixture
def judged(add_version: AddVersion, add_verdict: AddVerdict) -> ModelVersion:
    """Give a version that a verdict has opened Production for."""
    version = add_version(gates=POLICY)
    add_verdict(version)
    return version


def only_file(client: TrackingClient, version: ModelVersion) -> Artifact:
    with client.store.transaction() as tx:
        (file,) = tx.artifacts.walk(model_id=version.model_id)
    return file


def refusal(client: TrackingClient) -> PromotionRefused:
    before = list_history(client, "credit")
    with pytest.raises(PromotionRefused) as caught:
        promote(client, "credit", 1, "Production", actor="ada")
    assert live_version(client, "credit") is None
    assert list_history(client, "credit") == before
    return caught.value


def test_bytes_that_changed_after_the_verdict_are_refused_with_both_digests(
    client: TrackingClient, judged: ModelVersion
) -> None:
    file = only_file(client, judged)
    with client.artifact_store.open(file.key) as stream:
        original = stream.read()
    changed = original[:-1] + bytes([original[-1] ^ 1])
    client.artifact_store.put_bytes(file.key, changed)
    error = refusal(client)
    assert error.reasons == (
        f"file model.bin of its package has sha256 {hashlib.sha256(changed).hexdigest()}, "
        f"{file.sha256} was recorded",
    )
    assert error.hint == "Restore its bytes, or register it again."
    client.artifact_store.put_bytes(file.key, original)
    assert promote(client, "credit", 1, "Production", actor="ada").changed


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 5_000_000])
def test_bytes_of_another_length_are_refused(
    client: TrackingClient, judged: ModelVersion, data: bytes
) -> None:
    client.artifact_store.put_bytes(only_file(client, judged).key, data)
    assert hashlib.sha256(data).hexdigest() in str(refusal(client))


def test_a_file_that_is_gone_is_named(client: TrackingClient, judged: ModelVersion) -> None:
    client.artifact_store.delete(only_file(client, judged).key)
    assert refusal(client).reasons == (
        "file model.bin of its package is gone from the artifact store",
    )


def test_a_record_that_was_changed_with_its_bytes_is_found_by_the_packages_digest(
    client: TrackingClient, judged: ModelVersion, database_url: str
) -> None:
    file, other = only_file(client, judged), b"other"
    client.artifact_store.put_bytes(file.key, other)
    sha256 = hashlib.sha256(other).hexdigest()
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE artifacts SET sha256 = %s, size = %s WHERE path = 'model.bin'",
            (sha256, len(other)),
        )
    assert refusal(client).reasons == (
        f"its package has digest {digest_of_files({'model.bin': sha256})}, "
        f"{judged.digest} was registered",
    )


def test_a_file_that_was_added_or_whose_record_is_gone_is_found(
    client: TrackingClient, judged: ModelVersion, database_url: str
) -> None:
    with client.store.transaction() as tx:
        stored = client.artifact_store.put_bytes("models/extra", b"extra")
        tx.artifacts.record(model_id=judged.model_id, path="extra.bin", stored=stored)
    assert f"{judged.digest} was registered" in str(refusal(client))
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM artifacts WHERE logged_model IS NOT NULL")
    assert f"{judged.digest} was registered" in str(refusal(client))


def test_damage_is_told_beside_everything_else_that_is_missing(
    client: TrackingClient, judged: ModelVersion, add_verdict: AddVerdict
) -> None:
    client.artifact_store.put_bytes(only_file(client, judged).key, b"other")
    add_verdict(judged, passed=False)
    gone, failed = refusal(client).reasons
    assert "was recorded" in gone
    assert "did not pass" in failed


def test_where_no_verdict_speaks_of_them_bytes_are_not_read(
    client: TrackingClient, add_version: AddVersion
) -> None:
    version = add_version()
    client.artifact_store.delete(only_file(client, version).key)
    assert promote(client, "credit", 1, "Production", actor="ada").changed
    assert len(check_package(client, version)) == 1


def test_a_version_without_a_package_of_ours_has_none_to_check(client: TrackingClient) -> None:
    with client.store.transaction() as tx:
        tx.registry.create_model("credit")
        version = tx.registry.create_version("credit", source="s3://elsewhere")
    assert check_package(client, version) == []


def test_what_is_missing_is_told_by_the_records_alone(
    client: TrackingClient, judged: ModelVersion
) -> None:
    client.artifact_store.delete(only_file(client, judged).key)
    assert missing_for(client, "credit", 1, "Production") == ()


def test_a_version_that_is_not_ready_stays_out(
    client: TrackingClient, judged: ModelVersion, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE model_versions SET status = 'FAILED_REGISTRATION'")
    assert "the version is FAILED_REGISTRATION, not READY" in refusal(client).reasons


def test_a_version_that_points_to_another_package_than_it_was_judged_with_is_refused(
    client: TrackingClient, judged: ModelVersion, add_version: AddVersion, database_url: str
) -> None:
    other = add_version()
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE model_versions SET logged_model = "
            "(SELECT logged_model FROM model_versions WHERE version = 2) WHERE version = 1"
        )
    reasons = refusal(client).reasons
    assert f"its package has digest {other.digest}, {judged.digest} was registered" in reasons
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE model_versions SET digest = %s WHERE version = 1", (other.digest,)
        )
    assert refusal(client).reasons == (
        f"its verdict was made for package {judged.digest}, this is {other.digest}",
    )
