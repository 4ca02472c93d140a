"""What the API's document says is what it does."""

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api.programs import Program, sale
from tests.integration.web.site import CONSOLE_URL, Site

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def test_any_call_is_answered_as_the_document_says(site: Site, program: Program) -> None:
    program.reported(sale(), sale(order_id="A-2"))
    document = program.json("openapi.json")
    schema = schemathesis.openapi.from_dict(document)
    schema.app = site.app
    seen = []
    for found in schema.get_all_operations():
        operation = found.ok()
        seen.append(operation.label)

        @given(case=operation.as_strategy())
        @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(
                base_url=CONSOLE_URL, headers={"Authorization": f"Bearer {program.key}"}, checks=CHECKS
            )

        check()
    assert len(seen) == len(
        [method for path in document["paths"].values() for method in path if method != "parameters"]
    )
