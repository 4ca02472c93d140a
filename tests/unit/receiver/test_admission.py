import pytest

from receiver.admission import REFUSALS, Admitted, Refused, admit, answer_challenge, authenticate, request_of
from receiver.channels import OpenChannel
from receiver.head import Head
from tests.unit.receiver.makers import APP_SECRET, SECRETS, TOKEN, VERIFY_TOKEN, channel, head

GOOD = {"x-webhook-secret": TOKEN}
MAX = 1000


def verdict(head: Head, channel: OpenChannel | None, *, chunked: bool = False) -> Admitted | Refused:
    return admit(head, channel, max_body=MAX, chunked=chunked)


REFUSED = [
    ("unknown_channel", head(headers=GOOD), None, False),
    ("disabled_channel", head(headers=GOOD), channel(enabled=False), False),
    ("keys", head(headers=GOOD), channel(secrets=None), False),
    ("path", head(path="x" * 201, headers=GOOD), channel(), False),
    ("path", head(path="messages/post"), channel("meta_cloud"), False),
    ("method", head(method="GET", headers=GOOD), channel(), False),
    ("method", head(method="DELETE"), channel("meta_cloud"), False),
    ("method", head(method="HEAD", headers=GOOD), channel(), False),
    ("headers_too_large", head(headers={**GOOD, "x": "y" * 40_000}), channel(), False),
    ("framing", head(headers={**GOOD, "transfer-encoding": "chunked"}, length=5), channel(), True),
    ("framing", head(headers={**GOOD, "transfer-encoding": "gzip, chunked"}, length=None), channel(), True),
    ("length_required", head(headers={**GOOD, "transfer-encoding": "chunked"}, length=None), channel(), False),
    ("framing", head(headers=GOOD, length=-1), channel(), False),
    ("too_large", head(headers=GOOD, length=MAX + 1), channel(), False),
    ("not_authentic", head(), channel(), False),
    ("not_authentic", head(headers={"x-webhook-secret": "ÿ" + TOKEN}), channel(), False),
    ("not_authentic", head(headers={"x-webhook-secret": f"{TOKEN},{TOKEN}"}), channel(), False),
    ("not_authentic", head(headers=GOOD), channel(secrets=[]), False),
    ("not_authentic", head(headers={"x-webhook-secret": ""}), channel(secrets=[{"token": ""}]), False),
]


@pytest.mark.parametrize(("reason", "head", "channel", "chunked"), REFUSED)
def test_what_is_refused_before_the_body(reason: str, head: Head, channel: OpenChannel | None, chunked: bool) -> None:
    refused = verdict(head, channel, chunked=chunked)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.status) == (reason, REFUSALS[reason])


@pytest.mark.parametrize("head", [head(headers=GOOD, length=length) for length in (None, 0, 1, MAX)])
def test_a_header_secret_settles_it_before_the_body(head: Head) -> None:
    admitted = verdict(head, channel())
    assert isinstance(admitted, Admitted)
    assert admitted.authentic
    assert authenticate(admitted, b"anything") is None


def test_chunked_is_admitted_behind_a_proxy() -> None:
    admitted = verdict(head(headers={**GOOD, "transfer-encoding": "chunked"}, length=None), channel(), chunked=True)
    assert isinstance(admitted, Admitted)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_whapi_may_name_the_event_in_path_and_method(method: str) -> None:
    assert isinstance(verdict(head(method=method, path="messages/post", headers=GOOD), channel()), Admitted)


def test_a_body_signature_is_judged_with_the_body() -> None:
    meta = channel("meta_cloud")
    signed = meta.provider.sign(request_of(head(), b'{"a":1}'), {"app_secret": APP_SECRET})
    admitted = verdict(head(headers={name.lower(): value for name, value in signed.items()}), meta)
    assert isinstance(admitted, Admitted)
    assert not admitted.authentic
    assert authenticate(admitted, b'{"a":1}') is None
    assert authenticate(admitted, b'{"a":2}') == Refused("not_authentic", 7)


def test_a_channel_without_secrets_has_to_say_that_it_is_unsigned() -> None:
    assert isinstance(verdict(head(), channel(secrets=[], unsigned=True)), Admitted)
    assert verdict(head(), channel(secrets=[])) == Refused("not_authentic", 7)


def test_both_secrets_are_good_during_a_rotation() -> None:
    rotating = channel(secrets=[{"token": "new-token-0123456789"}, *SECRETS["whapi"]])
    for token in (TOKEN, "new-token-0123456789"):
        assert isinstance(verdict(head(headers={"x-webhook-secret": token}), rotating), Admitted)


@pytest.mark.parametrize(("token", "answered"), [(VERIFY_TOKEN, True), ("wrong", False), ("", False)])
def test_the_challenge_is_answered_to_who_knows_the_verify_token(token: str, answered: bool) -> None:
    query = f"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}"
    admitted = verdict(head(method="GET", query=query, length=None), channel("meta_cloud"))
    assert isinstance(admitted, Admitted)
    assert answer_challenge(admitted) == ("1158201444" if answered else Refused("challenge", 7))


def test_only_what_is_our_trouble_says_when_to_come_again() -> None:
    for reason, status in REFUSALS.items():
        assert (Refused(reason).retry_after is not None) == (status in (429, 503)), reason
