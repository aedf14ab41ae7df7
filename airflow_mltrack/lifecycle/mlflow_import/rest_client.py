"""Requests to an MLflow server: its login, its pages, and another try where one may help."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow_mltrack.exceptions import ArtifactUnavailable, DataUnavailable, InvalidInput

if TYPE_CHECKING:
    import httpx

    from airflow_mltrack.artifacts.digests import Readable

_TRIES = 5
_SECONDS = 60.0
_RETRYABLE = (408, 429, 500, 502, 503, 504)
_MISSING = 404


class RestClient:
    """One server.

    :param address: with user and password in it, or without: then the variables of MLflow's own
        client (``MLFLOW_TRACKING_USERNAME``, ``_PASSWORD``, ``_TOKEN``) are taken.
    :raises InvalidInput: when it is no address.
    """

    def __init__(self, address: str) -> None:
        import httpx

        try:
            url = httpx.URL(address)
        except (httpx.InvalidURL, ValueError):
            url = httpx.URL("")
        if not url.host:
            # What cannot be read may hold a password, so it is not shown.
            raise InvalidInput("--from", "...", "it is no address such as http://host:5000.")
        plain = url.copy_with(username=None, password=None, query=None, fragment=None)
        self.address = str(plain).rstrip("/")
        self._has_answered = False
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        login = _login(url)
        self._http = httpx.Client(
            auth=login,
            headers={"authorization": f"Bearer {token}"} if token and login is None else {},
            timeout=_SECONDS,
        )

    def get(self, path: str, query: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Read something.

        :raises DataUnavailable: when the server does not answer, or refuses.
        """
        found = self.find(path, query)
        if found is None:
            raise DataUnavailable(self.address, f"it has no {path}: is this an MLflow server?")
        return found

    def find(self, path: str, query: Mapping[str, object] | None = None) -> dict[str, Any] | None:
        """Read something, None when it is not there."""
        return self._answer("GET", path, params=dict(query or {}))

    def pages(self, method: str, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Go through the pages of a search."""
        token = ""
        while True:
            asked = dict(query) | ({"page_token": token} if token else {})
            more = {"json": asked} if method == "POST" else {"params": asked}
            page = self._answer(method, path, **more)
            if page is None:
                return
            yield page
            token = page.get("next_page_token") or ""
            if not token:
                return

    @contextmanager
    def stream(self, path: str, query: Mapping[str, str], name: str) -> Iterator[Readable]:
        """Read a file's bytes in bounded memory.

        :param name: the file, for errors.
        :raises ArtifactUnavailable: when the server does not give it, or stops in the middle.
        """
        import httpx

        try:
            with self._http.stream("GET", self.address + path, params=query) as answer:
                if answer.status_code != 200:
                    raise ArtifactUnavailable(name, f"the server says {answer.status_code}.")
                yield _Body(answer)
        except httpx.HTTPError as error:
            words = f"the server broke off ({type(error).__name__})."
            raise ArtifactUnavailable(name, words) from error

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _answer(self, method: str, path: str, **more: Any) -> dict[str, Any] | None:
        import httpx

        url, reason = f"{self.address}/api/2.0{path}", ""
        for number in range(_TRIES):
            if number:
                time.sleep(0.2 * 2**number)
            try:
                answer = self._http.request(method, url, **more)
            except httpx.HTTPError as error:
                reason = f"no answer ({type(error).__name__})."
                if not self._has_answered:  # most likely it is the wrong address
                    break
                continue
            self._has_answered = True
            if answer.status_code not in _RETRYABLE:
                return self._read(answer, path)
            reason = f"it says {answer.status_code}."
        raise DataUnavailable(self.address, reason)

    def _read(self, answer: httpx.Response, path: str) -> dict[str, Any] | None:
        if answer.status_code == _MISSING:
            return None
        if answer.status_code in (401, 403):
            raise DataUnavailable(
                self.address,
                f"it says {answer.status_code}: set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
            )
        try:
            found = answer.json()
        except ValueError:
            found = None
        if answer.status_code != 200 or not isinstance(found, dict):
            code = found.get("error_code", "") if isinstance(found, dict) else ""
            words = f"it says {answer.status_code} {code}".rstrip()
            raise DataUnavailable(self.address, f"{words} to {path}.")
        return found


class _Body:
    """The bytes of an answer as a file that is read once."""

    def __init__(self, answer: httpx.Response) -> None:
        self._parts = answer.iter_bytes(1024 * 1024)
        self._waiting = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        while size < 0 or len(self._waiting) < size:
            part = next(self._parts, b"")
            if not part:
                break
            self._waiting += part
        end = len(self._waiting) if size < 0 else size
        data, self._waiting = self._waiting[:end], self._waiting[end:]
        return data


def quoted(path: str) -> str:
    """Return a path as it stands in an address."""
    return quote(path, safe="/")


def served_path(location: str) -> str | None:
    """Return the path of an ``mlflow-artifacts:`` location, None of another one."""
    found = urlsplit(location)
    return found.path.strip("/") if found.scheme == "mlflow-artifacts" else None


def _login(url: httpx.URL) -> tuple[str, str] | None:
    if url.username or url.password:
        return url.username, url.password
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD")
    return (user, password) if user and password else None
