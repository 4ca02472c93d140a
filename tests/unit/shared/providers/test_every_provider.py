"""What every provider must do, each tested once over all of them."""

import json
import re
import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.messages import MessageClass
from shared.providers import PROVIDERS, UnknownProviderError, get_provider, parse_body
from shared.providers.base import Collector, Parsed, Provider, Request, Secrets, UnparsableError
from shared.providers.reasons import IGNORED
from shared.providers.samples import list_samples
from tests.unit.shared.providers.cases import (
    ROOT,
    all_keys,
    bodies,
    click_ids_at,
    every_change,
    expected_of,
    json_cases,
    load,
    provider_of,
)

EVERY_PROVIDER = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS.keys())
JUNK: tuple[Any, ...] = (None, "", 0, [], {}, "x", {"referral": {"ctwa_clid": "AfJunk"}, "ad": ["AfJunk"]})
#: Sinch documents nothing of the ad at all. A sample of Wasapi's without a click id would have nothing that could be
#: new on each sending, for its ad event has no message id and no time.
WITHOUT_CLICKLESS_SAMPLE = {"sinch", "wasapi"}
#: Providers whose proof is a token in the body, which says nothing of the rest of it.
TOKEN_IN_BODY = frozenset({"uazapi"})
#: Providers whose signature covers the time of sending.
TIMED = ("ycloud", "vonage", "sinch")
#: Tables of adapters that are about something else than reasons.
NO_REASONS = {"AUTHORS", "LABELS", "SENT", "SOURCE_APPS", "TEXTS"}
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
KEYS = sorted(all_keys([load(case) for case in json_cases()]))
TEXTS = st.sampled_from([*KEYS, "whatsapp_business_account", "AfRandom", "15550100123", "1790000000"]) | st.text()
RANDOM_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXTS, below, max_size=5),
    max_leaves=30,
)


def parse_or_refuse(provider: str, body: bytes) -> Parsed | None:
    """Return what was parsed, or None when the body was refused in the one way that is allowed."""
    try:
        return parse_body(provider, body)
    except UnparsableError:
        return None


def check_that_nothing_was_made_up(provider: str, body: Any) -> None:
    parsed = parse_or_refuse(provider, json.dumps(body).encode())
    if parsed is None:
        return
    json.dumps(parsed.as_json())
    assert set(parsed.ignored) <= set(IGNORED)
    if not (parsed.messages or parsed.automatic_events):
        return
    named = click_ids_at(PROVIDERS[provider].click_id_paths, body)
    for message in parsed.messages:
        click_id = message.referral and message.referral.click_id
        assert click_id is None or click_id in named
        assert (message.message_class is MessageClass.ORGANIC) == (message.referral is None)
        assert message.message_class is not MessageClass.AD or click_id
        assert message.phone or message.bsuid or message.lid or message.provider_id
    for event in parsed.automatic_events:
        assert event.click_id is None or event.click_id in named


@pytest.mark.parametrize("case", bodies())
def test_a_fixture_gives_exactly_the_expected_result(case: str) -> None:
    parsed = parse_body(provider_of(case), bodies()[case].read_bytes())
    assert parsed.as_json() == json.loads(expected_of(case).read_text("utf-8"))


def test_every_expected_result_belongs_to_a_body() -> None:
    expected = {
        f"{path.parent.name}/{path.name}" for path in (ROOT / "tests/fixtures/providers").glob("*/*.expected.json")
    }
    assert expected == {f"{case}.expected.json" for case in bodies()}


@pytest.mark.parametrize("case", json_cases())
def test_no_dropped_or_replaced_node_crashes_an_adapter_or_invents_an_ad(case: str) -> None:
    for changed in every_change(load(case), JUNK):
        check_that_nothing_was_made_up(provider_of(case), changed)


@EVERY_PROVIDER
@given(RANDOM_JSON)
def test_random_json_neither_crashes_an_adapter_nor_makes_a_click_id_up(provider: Provider, body: Any) -> None:
    check_that_nothing_was_made_up(provider.name, body)


@EVERY_PROVIDER
@given(st.binary(max_size=200))
def test_random_bytes_are_read_or_refused(provider: Provider, body: bytes) -> None:
    for prefix in (b"", b"\x1f\x8b", b"\xff\xfe", b'{"a":', b"a="):
        parse_or_refuse(provider.name, prefix + body)


@EVERY_PROVIDER
@pytest.mark.parametrize(
    "body",
    [
        b'{"phone": "15550100123", "ctwa": "AfSecret", }',
        b'["15550100123", "AfSecret"]',
        b'"AfSecret 15550100123"',
        b'{"AfSecret15550100123": NaN}',
        b'{"AfSecret": 15550100123' + b"0" * 50 + b"}",
        b"AfSecret 15550100123",
        b"AfSecret=%ff15550100123",
        b"AfSecret15550100123\xff\xfe{",
        b'{"AfSecret15550100123":' + b"[" * 100_000,
        b"\x1f\x8bAfSecret15550100123",
        '{"AfSecret15550100123": '.encode("utf-16"),
    ],
)
def test_no_error_holds_a_piece_of_the_payload(provider: Provider, body: bytes) -> None:
    with pytest.raises(UnparsableError) as raised:
        parse_body(provider.name, body)
    written = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert "AfSecret" not in written
    assert "15550100123" not in written
    assert raised.value.__context__ is None
    assert str(raised.value)


# Signatures.


def secrets_of(provider: Provider, marker: str) -> Secrets:
    """Return a full set of secrets in which every value is new."""
    return {field.name: field.default or f"{provider.name}-{field.name}-{marker}" for field in provider.secret_fields}


def signed(provider: Provider, secrets: Secrets, received_at: datetime | None = None) -> Request:
    request = Request(body=b'{"a": "\xc3\xa9"}', received_at=received_at)
    headers = {name.lower(): value for name, value in provider.sign(request, secrets).items()}
    return replace(request, headers=headers)


@EVERY_PROVIDER
def test_a_request_signed_with_the_secret_is_authentic(provider: Provider) -> None:
    secrets = secrets_of(provider, "one")
    assert provider.verify(signed(provider, secrets), [secrets])


@EVERY_PROVIDER
def test_a_request_signed_with_the_previous_secret_is_authentic_during_a_rotation(provider: Provider) -> None:
    current, previous = secrets_of(provider, "new"), secrets_of(provider, "old")
    assert provider.verify(signed(provider, previous), [current, previous])
    assert provider.verify(signed(provider, current), [current, previous])
    assert not provider.verify(signed(provider, previous), [current])


@EVERY_PROVIDER
def test_a_request_without_a_signature_is_refused(provider: Provider) -> None:
    assert not provider.verify(Request(body=b"{}"), [secrets_of(provider, "one")])


@EVERY_PROVIDER
@pytest.mark.parametrize("blank", ["", " ", "\t"])
def test_nothing_is_authentic_without_secrets(provider: Provider, blank: str) -> None:
    nothing = {field.name: blank for field in provider.secret_fields}
    for request in (Request(), signed(provider, nothing), signed(provider, secrets_of(provider, "one"))):
        assert not provider.verify(request, [])
        assert not provider.verify(request, [{}])
        assert not provider.verify(request, [nothing])


@EVERY_PROVIDER
def test_every_changed_character_of_a_signature_is_noticed(provider: Provider) -> None:
    secrets = secrets_of(provider, "one")
    good = signed(provider, secrets)
    for name, value in good.headers.items():
        for at, char in enumerate(value):
            other = "0" if char != "0" else "1"
            for broken in (value[:at] + other + value[at + 1 :], value[:at] + value[at + 1 :], value + other):
                headers = {**good.headers, name: broken}
                assert not provider.verify(Request(body=good.body, headers=headers), [secrets]), broken


@EVERY_PROVIDER
@given(st.text(), st.text(), st.binary(max_size=50))
def test_verifying_never_raises(provider: Provider, value: str, secret: str, body: bytes) -> None:
    signature = signed(provider, secrets_of(provider, "one"))
    headers = dict.fromkeys([*signature.headers, "authorization"], value)
    secrets = {field.name: secret for field in provider.secret_fields}
    assert provider.verify(Request(headers=headers, body=body), [secrets_of(provider, "one")]) is False
    assert provider.verify(Request(headers=headers, body=body), [secrets]) in (True, False)


@EVERY_PROVIDER
def test_a_changed_body_is_noticed_by_providers_that_sign_it(provider: Provider) -> None:
    secrets = secrets_of(provider, "one")
    good = signed(provider, secrets)
    changed = Request(body=good.body + b" ", headers=good.headers)
    signs_body = provider.verify_needs_body and provider.name not in TOKEN_IN_BODY
    assert provider.verify(changed, [secrets]) is not signs_body


@EVERY_PROVIDER
def test_a_signed_request_is_authentic_for_some_minutes(provider: Provider) -> None:
    secrets = secrets_of(provider, "one")
    good = signed(provider, secrets, received_at=NOW)
    for seconds in (0, 60, 240):
        assert provider.verify(replace(good, received_at=NOW + timedelta(seconds=seconds)), [secrets])


@pytest.mark.parametrize("provider", TIMED)
@pytest.mark.parametrize("seconds", [301, 3600, 86_400 * 365, -301, -86_400])
def test_a_replayed_request_is_refused_where_its_time_is_signed(provider: str, seconds: int) -> None:
    secrets = secrets_of(PROVIDERS[provider], "one")
    good = signed(PROVIDERS[provider], secrets, received_at=NOW)
    replayed = replace(good, received_at=NOW + timedelta(seconds=seconds))
    assert not PROVIDERS[provider].verify(replayed, [secrets])


# The registry.


def test_every_provider_is_registered_under_its_own_name() -> None:
    assert {name: provider.name for name, provider in PROVIDERS.items()} == {name: name for name in PROVIDERS}


@EVERY_PROVIDER
def test_every_provider_has_its_page_and_the_samples_that_it_can_have(provider: Provider) -> None:
    assert (ROOT / f"docs/providers/{provider.name}.md").is_file()
    assert f"({provider.name}.md)" in (ROOT / "docs/providers/README.md").read_text("utf-8")
    samples = set(list_samples(provider.name))
    assert {"organic", "statuses"} <= samples
    assert ("ad" in samples) == bool(provider.click_id_paths)
    assert "ad_without_click_id" in samples or provider.name in WITHOUT_CLICKLESS_SAMPLE


def test_an_unknown_provider_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownProviderError, match=r"No provider is called 'wapi'. There are: .*whapi"):
        get_provider("wapi")


def test_a_request_is_not_printed_with_its_secrets() -> None:
    request = Request(query="hub.verify_token=s3cret", headers={"x": "s3cret"}, body=b"s3cret", url="s3cret")
    assert "s3cret" not in repr(request)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_reason_in_an_adapters_tables_has_its_explanation(provider: str) -> None:
    module = sys.modules[PROVIDERS[provider].parse.__module__]
    tables = [
        value
        for name, value in vars(module).items()
        if re.fullmatch("[A-Z][A-Z_]*", name) and isinstance(value, dict) and name not in NO_REASONS
    ]
    reasons = {reason for table in tables for reason in table.values()}
    assert reasons <= set(IGNORED)


def test_a_reason_without_an_explanation_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Collector().ignore("because")
