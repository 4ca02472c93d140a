from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from shared.signing import is_secret, new_secret, signed_headers

BODY = '{"what":"à três"}'.encode()


def test_the_standards_own_library_accepts_what_we_sign() -> None:
    secret = new_secret()
    headers = signed_headers([secret], message_id="msg_1", body=BODY, at=datetime.now(UTC))
    assert Webhook(secret).verify(BODY, headers) == {"what": "à três"}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_while_a_secret_is_replaced_both_the_old_and_the_new_one_verify() -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers([new, old], message_id="msg_1", body=BODY, at=datetime.now(UTC))
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)


def test_the_time_is_the_same_moment_in_any_zone() -> None:
    moment = datetime(2026, 11, 24, 12, tzinfo=UTC)
    lisbon_summer = moment.astimezone(timezone(timedelta(hours=-3)))
    secret = new_secret()
    one, other = (signed_headers([secret], message_id="m", body=BODY, at=at) for at in (moment, lisbon_summer))
    assert one == other
    assert one["webhook-timestamp"] == str(int(moment.timestamp()))


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_c2hvcnQ=", "abc", "whsec_!!!", "xwhsec_" + "A" * 44, "whsec_" + "A" * 400]
)
def test_a_secret_of_another_form_or_length_is_told(text: str) -> None:
    assert not is_secret(text)
    assert is_secret(new_secret())
