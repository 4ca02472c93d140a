"""What the document says is what the door does."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from receiver.openapi import OPENAPI
from shared.domain.submission_forms import Malformed, parse_items
from tests.unit.receiver.makers import API_KEY, app, call_door, door

DOCUMENT: dict[str, Any] = json.loads(OPENAPI)
APP = app(door(), call_door())
schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", APP)


@schema.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_call_is_answered_as_the_document_says(case: schemathesis.Case) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Bearer {API_KEY}"},
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
            negative_data_rejection,
            unsupported_method,
        ],
    )


def examples() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, name, example["value"])
        for path, operations in DOCUMENT["paths"].items()
        for name, example in operations["post"]["requestBody"]["content"]["application/json"]["examples"].items()
    ]


@pytest.mark.parametrize(("path", "name", "body"), examples())
def test_every_example_is_taken_and_fits_its_schema(path: str, name: str, body: dict[str, Any]) -> None:
    kind = path.removeprefix("/v1/")
    items = parse_items(kind, json.dumps(body).encode(), received_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert not [item for item in items if isinstance(item, Malformed)], name
    request = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator({**request, "components": DOCUMENT["components"]}).validate(body)
