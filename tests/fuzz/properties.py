"""What holds for every request body whatever, under every adapter. Used by the hypothesis and the atheris targets."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from shared.domain.messages import MAX_CLICK_ID, MessageClass
from shared.providers import PROVIDERS
from shared.providers.base import Parsed, Request, UnparsableError
from shared.providers.body import MAX_ID, MAX_TEXT, read_body, read_json
from shared.providers.reasons import IGNORED, UNPARSABLE
from tests.unit.shared.providers.cases import click_ids_at


def check(provider: str, body: bytes, *, path: str = "", method: str = "POST") -> Parsed | None:
    """Parse a body, and assert all that must hold of the result; None when it was refused in the one allowed way."""
    request = Request(body=body, path=path, method=method)
    refusal = None
    try:
        parsed = PROVIDERS[provider].parse(request)
    except UnparsableError as error:
        refusal = error
    if refusal is not None:
        assert refusal.reason in UNPARSABLE
        assert refusal.__cause__ is None
        assert refusal.__context__ is None
        return None
    _check_claims(provider, body, parsed)
    for row in [*(one.as_row() for one in parsed.messages), *(one.as_row() for one in parsed.automatic_events)]:
        _check_storable(row)
    assert PROVIDERS[provider].parse(request) == parsed
    return parsed


def check_body(body: bytes) -> None:
    """Assert that the body reader returns plain values, or refuses in the one allowed way."""
    try:
        value = read_body(Request(body=body))
    except UnparsableError:
        return
    json.dumps(value, default=str)


def _check_claims(provider: str, body: bytes, parsed: Parsed) -> None:
    """An adapter finds click ids nowhere but where its table says, and calls nothing an ad that names none."""
    assert set(parsed.ignored) <= set(IGNORED)
    assert all(count > 0 for count in parsed.ignored.values())
    if not (parsed.messages or parsed.automatic_events):
        return
    named = click_ids_at(PROVIDERS[provider].click_id_paths, _as_read(body))
    for message in parsed.messages:
        referral = message.referral
        assert (message.message_class is MessageClass.ORGANIC) == (referral is None)
        assert message.phone or message.bsuid or message.lid or message.provider_id
        if referral is None:
            continue
        assert referral.click_id is None or referral.click_id in named
        assert message.message_class is not MessageClass.AD or referral.click_id
        assert referral.click_id or referral.source_id or referral.source_url or referral.flags
    for event in parsed.automatic_events:
        assert event.click_id is None or event.click_id in named
    ids = [message.message_id for message in parsed.messages]
    assert len(ids) == len(set(ids))


def _as_read(body: bytes) -> Any:
    """The body's value; a form's field that holds JSON is that JSON (WuzAPI's `jsonData`)."""
    value = read_body(Request(body=body))
    if isinstance(value, dict) and isinstance(value.get("jsonData"), str):
        return {**value, "jsonData": read_json(value["jsonData"])}
    return value


def _check_storable(row: Mapping[str, object]) -> None:
    """Postgres takes no NUL and no lone surrogate, and no column is for a novel."""
    json.dumps(row)
    for name, value in row.items():
        if isinstance(value, str):
            value.encode()
            assert "\x00" not in value, name
            assert len(value) <= (MAX_ID if name.endswith("_id") and name != "click_id" else MAX_TEXT), name
    click_id = row.get("click_id")
    assert not isinstance(click_id, str) or (click_id.isprintable() and len(click_id) <= MAX_CLICK_ID)


def form_fields(body: bytes) -> list[tuple[str, str]]:
    """A form's fields, sorted; what a signature over fields, not bytes, covers."""
    return sorted(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
