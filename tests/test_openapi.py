"""Whatever the published description allows, and whatever it does not, ends in a clear answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.sim.process import RunningHub

ERROR = {"code", "message", "next_step", "where"}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub that may be asked anything."""
    hub = RunningHub(tmp_path_factory.mktemp("asked") / "data").start()
    yield hub
    stopped = hub.stop()
    hub.check()
    assert "Traceback" not in stopped.stderr


def test_any_request_is_answered_clearly(asked: RunningHub) -> None:
    described = asked.ask("GET", "/api/openapi.json").json()
    streamed = described["paths"].pop("/api/stream")  # it never ends: see test_stream
    assert "text/event-stream" in streamed["get"]["responses"]["200"]["content"]
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=asked.url)
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]
    assert len(operations) >= 20
    with asked.client() as client:
        for operation in operations:
            ask(asked, operation, client)


def ask(hub: RunningHub, operation: Any, client: httpx.Client) -> None:
    """Some requests to one operation, by the operator and by nobody."""
    admin = hub.admin

    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), signed_in=st.booleans())
    def answered(case: Any, signed_in: bool) -> None:
        sent = case.as_transport_kwargs(base_url=hub.url)
        headers = dict(sent.get("headers") or {})
        if signed_in:
            headers["Authorization"] = f"Bearer {admin}"
        answer = client.request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            headers=headers,
            **({"json": sent["json"]} if "json" in sent else {"content": sent.get("data")}),
        )
        assert answer.status_code < 500, (sent, answer.text)
        if answer.status_code >= 400 and sent["method"] != "HEAD":
            found = answer.json()
            assert set(found) == {"error"}, answer.text
            assert set(found["error"]) == ERROR
            assert found["error"]["message"]
            assert found["error"]["next_step"]

    answered()
