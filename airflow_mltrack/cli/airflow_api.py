"""A small client for the REST API of a local Airflow."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from airflow_mltrack.exceptions import MltrackError

_TIMEOUT = 30.0
_REQUIRED = ("metadatabase", "scheduler", "dag_processor")


class AirflowApiError(MltrackError):
    """Airflow's API refused a request or did not answer.

    :param request: method and path.
    :param reason: its answer, or why there was none.
    :param status: HTTP status; None when there was no answer.
    """

    def __init__(self, request: str, reason: str, status: int | None = None) -> None:
        self.request, self.reason, self.status = request, reason, status
        super().__init__(f"Airflow's API: {request}: {reason}")


class AirflowApi:
    """Requests to one Airflow whose auth manager lets everybody on the machine in.

    :param url: its base URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._token: str | None = None
        # It is on this machine: a proxy of the environment must not be asked.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def is_ready(self) -> bool:
        """Whether database, scheduler and Dag processor report themselves healthy."""
        try:
            health = self._send("GET", "/api/v2/monitor/health", None, token=None)
        except AirflowApiError:
            return False
        return all(health[part]["status"] == "healthy" for part in _REQUIRED)

    def get(self, path: str, **query: object) -> Any:
        """Read a resource below ``/api/v2``.

        :raises AirflowApiError: on any status but success.
        """
        words = urllib.parse.urlencode(query, doseq=True)
        return self._call("GET", f"{path}?{words}" if words else path, None)

    def post(self, path: str, body: object) -> Any:
        """Create something below ``/api/v2``.

        :raises AirflowApiError: on any status but success.
        """
        return self._call("POST", path, body)

    def patch(self, path: str, body: object) -> Any:
        """Change something below ``/api/v2``.

        :raises AirflowApiError: on any status but success.
        """
        return self._call("PATCH", path, body)

    def has_dag(self, dag_id: str) -> bool:
        """Whether Airflow has parsed a Dag."""
        try:
            self.get(f"/dags/{dag_id}")
        except AirflowApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def _call(self, method: str, path: str, body: object) -> Any:
        if self._token is None:
            answer = self._send("GET", "/auth/token", None, token=None)
            self._token = str(answer["access_token"])
        return self._send(method, f"/api/v2{path}", body, token=self._token)

    def _send(self, method: str, path: str, body: object, *, token: str | None) -> Any:
        headers = {"Accept": "application/json"}
        data = None
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the URL is our own, http on loopback
            f"{self._url}{path}", data=data, headers=headers, method=method
        )
        named = f"{method} {path.partition('?')[0]}"
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            raise AirflowApiError(named, f"{error.code} {text[:500]}", error.code) from error
        except (OSError, ValueError) as error:
            raise AirflowApiError(named, str(error)) from error
