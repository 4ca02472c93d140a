import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.reasons import OUTBOUND
from shared.outbound import RefusedURLError, check_url, is_permitted

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.9.9.9", "100.64.0.1", "::1", "fc00::1", "fd12::1",
    "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "169.254.0.1", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
    "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "224.0.0.1", "ff02::1", "0.0.0.0", "::",
    "255.255.255.255", "240.0.0.1", "::ffff:0.0.0.0", "::7f00:1",
]  # fmt: skip


@pytest.mark.parametrize(
    ("addresses", "by_default", "with_private"),
    [(PUBLIC, True, True), (PRIVATE, False, True), (NEVER, False, False)],
    ids=["public", "private", "never"],
)
def test_addresses_are_judged_by_what_they_lead_to(addresses: list[str], by_default: bool, with_private: bool) -> None:
    for text in addresses:
        address = ipaddress.ip_address(text)
        assert is_permitted(address, allow_private=False) is by_default, text
        assert is_permitted(address, allow_private=True) is with_private, text


@given(st.ip_addresses())
def test_what_is_not_global_is_never_reached_unless_it_was_allowed(address: ipaddress.IPv4Address) -> None:
    if is_permitted(address, allow_private=False):
        assert is_permitted(address, allow_private=True)
        assert not address.is_private
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_the_same_inside_every_address_that_stands_for_it(inner: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        outer = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + int(inner))
        for allow in (False, True):
            assert is_permitted(outer, allow_private=allow) == is_permitted(inner, allow_private=allow)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://hooks.example.com/x", "url_not_https"),
        ("ftp://hooks.example.com", "url_malformed"),
        ("file:///etc/passwd", "url_malformed"),
        ("https://", "url_malformed"),
        ("https://user:password@hooks.example.com", "url_malformed"),
        ("https://hooks.example.com\\@evil.example", "url_malformed"),
        ("https://hooks.example.com/a b", "url_malformed"),
        ("https://hooks.example.com/\r\nX: y", "url_malformed"),
        ("https://hooks.example.com:99999/", "url_malformed"),
        ("https://[::1/", "url_malformed"),
        ("hooks.example.com", "url_malformed"),
        ("https://hooks.example.com/" + "x" * 2000, "url_malformed"),
        ("", "url_malformed"),
    ],
)
def test_a_url_of_another_form_is_refused_with_a_reason_that_is_explained(url: str, code: str) -> None:
    with pytest.raises(RefusedURLError) as refused:
        check_url(url)
    assert refused.value.code == code
    assert code in OUTBOUND


def test_a_form_that_is_fine_is_let_by() -> None:
    check_url("https://hooks.example.com:8443/services/T000/B000?x=1")
    check_url("http://relay.internal/alerts", allow_private=True)
