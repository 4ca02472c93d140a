from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from console.errors import InvalidError
from console.whapi_history import WhapiHistory, _read_page, _retry_after, checked_address


@pytest.mark.parametrize(
    "url",
    ["https://gate.whapi.cloud", "https://gate.whapi.cloud/", "http://127.0.0.1:8080", "http://[::1]:9", "http://localhost"],
)  # fmt: skip
def test_a_token_goes_by_https_or_stays_on_this_machine(url: str) -> None:
    assert checked_address(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://gate.whapi.cloud",
        "http://10.0.0.1",
        "ftp://gate.whapi.cloud",
        "https://user:secret@gate.whapi.cloud",
        "https://gate.whapi.cloud/messages",
        "https://gate.whapi.cloud?token=secret",
        "gate.whapi.cloud",
        "https://",
        "",
    ],
)
def test_any_other_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidError) as raised:
        checked_address(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "tökən", "x" * 5000])
def test_what_can_be_no_token_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(InvalidError) as raised:
        WhapiHistory("https://gate.whapi.cloud", token)
    assert not token or token not in str(raised.value)


def test_a_wait_is_read_from_seconds_and_from_a_date() -> None:
    assert _retry_after("7") == 7
    assert _retry_after("0") == 0
    assert _retry_after("") is None
    assert _retry_after("soon") is None
    assert _retry_after("-3") is None
    in_a_while = _retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    assert in_a_while is not None
    assert 80 < in_a_while <= 90
    assert _retry_after(format_datetime(datetime.now(UTC) - timedelta(days=1))) == 0


@pytest.mark.parametrize(
    ("body", "total"),
    [
        (b'{"messages": [], "total": 5}', 5),
        (b'{"messages": []}', None),
        (b'{"messages": [], "total": "5"}', None),
        (b'{"messages": [], "total": true}', None),
        (b'{"messages": [], "total": -1}', None),
    ],
)
def test_a_total_is_believed_only_when_it_can_be_one(body: bytes, total: int | None) -> None:
    assert _read_page(body).total == total
