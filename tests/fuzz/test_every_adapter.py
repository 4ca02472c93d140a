"""A bounded search for a request that an adapter can't cope with, starting from real ones.

Each run of the test suite tries the same bodies; `make fuzz` tries new ones, for minutes.
"""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.providers import PROVIDERS
from shared.providers.base import Provider, Request, Secrets
from tests.fuzz.mutations import (
    BYTE_STEPS,
    ENCODINGS,
    NODE_STEPS,
    bytes_of,
    cases_of,
    encode,
    mutate_bytes,
    mutate_nodes,
    plant_everywhere,
    steps,
)
from tests.fuzz.properties import check, check_body, form_fields

#: Set by `make fuzz`: how many bodies each test tries, other ones on each run.
WANTED = int(os.environ.get("FUZZ_EXAMPLES", "0"))
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
#: Their proof is a token that says nothing of the rest of the body.
TOKEN_IN_BODY = frozenset({"uazapi"})
EVERY_PROVIDER = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS.keys())


def bounded(examples: int) -> settings:
    return settings(
        max_examples=WANTED or examples,
        derandomize=not WANTED,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


@EVERY_PROVIDER
@bounded(60)
@given(data=st.data())
def test_a_payload_with_spoiled_nodes_is_read_or_refused(provider: Provider, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(cases_of(provider.name, only_json=True)))
    spoiled = mutate_nodes(case, data.draw(steps(NODE_STEPS)))
    path = data.draw(st.sampled_from(["", "messages/post", "messages-upsert", "a/b/c", "/", "\x00"]))
    method = data.draw(st.sampled_from(sorted(provider.methods)))
    check(provider.name, json.dumps(spoiled).encode(), path=path, method=method)


@EVERY_PROVIDER
@bounded(60)
@given(data=st.data())
def test_a_body_with_spoiled_bytes_is_read_or_refused(provider: Provider, data: st.DataObject) -> None:
    body = mutate_bytes(data.draw(st.sampled_from(cases_of(provider.name))), data.draw(steps(BYTE_STEPS)))
    check_body(body)
    check(provider.name, body)


@EVERY_PROVIDER
def test_no_click_id_is_found_where_the_table_names_none(provider: Provider) -> None:
    for case in cases_of(provider.name, only_json=True):
        for planted in plant_everywhere(case):
            check(provider.name, json.dumps(planted).encode())


@EVERY_PROVIDER
@bounded(10)
@given(data=st.data())
def test_the_encoding_of_a_body_changes_nothing(provider: Provider, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(cases_of(provider.name, only_json=True)))
    spoiled: Any = mutate_nodes(case, data.draw(steps(NODE_STEPS)))
    text = json.dumps(spoiled)
    plain = check(provider.name, text.encode())
    assert check(provider.name, encode(text, data.draw(st.sampled_from(ENCODINGS)))) == plain


def secrets_of(provider: Provider, marker: str) -> Secrets:
    return {field.name: field.default or f"{provider.name}-{field.name}-{marker}" for field in provider.secret_fields}


@EVERY_PROVIDER
@bounded(30)
@given(data=st.data())
def test_a_spoiled_request_is_never_taken_for_authentic(provider: Provider, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(cases_of(provider.name)))
    secrets = secrets_of(provider, "one")
    good = Request(body=bytes_of(case), received_at=NOW, url="https://hooks.example.com/webhooks/key")
    form = not good.body.startswith(b"{")
    content_type = {"content-type": "application/x-www-form-urlencoded" if form else "application/json"}
    signed = {
        name.lower(): value for name, value in provider.sign(replace(good, headers=content_type), secrets).items()
    }
    good = replace(good, headers={**content_type, **signed})
    assert provider.verify(good, [secrets])
    assert not provider.verify(good, [secrets_of(provider, "another")])
    spoiled = replace(good, body=mutate_bytes(case, data.draw(steps(BYTE_STEPS))))
    same_fields = provider.name == "twilio" and form_fields(spoiled.body) == form_fields(good.body)
    if provider.verify_needs_body and provider.name not in TOKEN_IN_BODY and spoiled.body != good.body:
        assert provider.verify(spoiled, [secrets]) is same_fields
    else:
        assert provider.verify(spoiled, [secrets]) is True
    stranger = replace(spoiled, headers=data.draw(_headers(sorted(signed))), query=data.draw(st.text(max_size=40)))
    assert provider.verify(stranger, [secrets]) is False


@pytest.mark.parametrize("provider", [one for one in PROVIDERS.values() if one.handshake], ids=lambda one: one.name)
@bounded(100)
@given(
    query=st.text()
    | st.lists(st.tuples(st.sampled_from(["hub.mode", "hub.verify_token", "hub.challenge", "x"]), st.text())).map(
        lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
    )
)
def test_no_stranger_is_answered_a_challenge(provider: Provider, query: str) -> None:
    assert provider.handshake is not None
    request = Request(method="GET", query=query, received_at=NOW)
    assert provider.handshake(request, [secrets_of(provider, "one")]) is None
    assert provider.handshake(request, []) is None


def _headers(names: list[str]) -> st.SearchStrategy[dict[str, str]]:
    """Headers of a stranger: the right names, and values that are no signature of ours."""
    values = st.text(max_size=80) | st.sampled_from(
        ["sha256=", "sha256=" + "0" * 64, "t=1,s=0", "Bearer x", "Basic ::", "a.b.c"]
    )
    return st.dictionaries(st.sampled_from([*names, "authorization", "x-request-id"]), values)
