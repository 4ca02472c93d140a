"""Every provider's own way through the door: signed as it signs, answered as it wants, too late refused."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from shared.providers import PROVIDERS
from shared.providers.base import Provider, Request
from shared.providers.samples import list_samples, load_sample
from tests.unit.receiver.makers import KEY, FakeInbox, app, channel, door

URL = f"https://hooks.example/webhooks/{KEY}"
EVERY_SAMPLE = pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name in PROVIDERS for case in list_samples(name)]
)
TIMED = pytest.mark.parametrize("name", ["ycloud", "vonage", "sinch"])


def secrets_of(provider: Provider) -> Mapping[str, str]:
    return {field.name: field.default or f"secret-of-{field.name}" for field in provider.secret_fields}


def post(name: str, body: bytes, signed_at: datetime) -> tuple[int, str, bytes, FakeInbox]:
    """Return status, content type and body of the answer, and what was taken in."""
    provider, inbox = PROVIDERS[name], FakeInbox()
    secrets = secrets_of(provider)
    request = Request(body=body, url=URL, received_at=signed_at)
    opened = channel(name, secrets=[secrets])
    client = app(door(opened, inbox=inbox, max_body=1_000_000)).test_client()
    answer = client.post(f"/webhooks/{KEY}", data=body, headers=dict(provider.sign(request, secrets)))
    return answer.status_code, answer.content_type or "", answer.data, inbox


@EVERY_SAMPLE
def test_a_sample_is_taken_in_and_answered_as_its_provider_wants(name: str, case: str) -> None:
    now = datetime.now(UTC)
    status, content_type, answer, inbox = post(name, load_sample(name, case, now=now), now)
    assert status == 200
    assert (content_type, answer) == PROVIDERS[name].answer
    assert len(inbox.taken) == 1


@TIMED
@pytest.mark.parametrize("minutes", [6, 60, -6])
def test_a_webhook_signed_too_long_ago_or_ahead_is_refused(name: str, minutes: int) -> None:
    signed_at = datetime.now(UTC) - timedelta(minutes=minutes)
    status, _, answer, inbox = post(name, load_sample(name, "organic", now=signed_at), signed_at)
    assert (status, answer, inbox.taken) == (401, b"", [])
