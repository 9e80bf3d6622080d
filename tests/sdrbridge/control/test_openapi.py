"""The control socket against its own document: every answer to whatever may be asked is in it."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from sdrbridge.control import openapi
from sdrbridge.control.verbs import STREAM_PATH
from tests.support.control import BOUND_S, Incident, serving


@pytest.mark.slow
def test_every_answer_is_in_the_document(tmp_path: Path) -> None:
    incident, path = Incident(tmp_path), tmp_path / "s"
    # A stream never ends; its answers are tried in test_server.py.
    schema = schemathesis.openapi.from_dict(openapi.document()).exclude(path=STREAM_PATH)
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) == len(openapi.document()["paths"]) - 1
    transport = httpx.HTTPTransport(uds=str(path))
    with serving(incident, path), httpx.Client(transport=transport, timeout=BOUND_S) as client:
        for operation in operations:

            @settings(
                max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
            )
            @given(case=operation.as_strategy())
            def check(case: schemathesis.Case[Any]) -> None:
                asked = case.as_transport_kwargs(base_url="http://localhost")
                if isinstance(asked.get("data"), bytes):
                    asked["content"] = asked.pop("data")
                asked.pop("cookies", None)
                # JSON Schema takes 5.0 for an integer; the bridge wants 5.
                case.validate_response(client.request(**asked), excluded_checks=[positive_data_acceptance])

            check()
