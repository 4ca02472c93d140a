import pytest

from receiver.head import network_of, read_head

ENVIRON = {
    "REQUEST_METHOD": "POST",
    "PATH_INFO": "/webhooks/some-key/messages/post",
    "RAW_URI": "/webhooks/some-key/messages/post?a=1",
    "QUERY_STRING": "a=1&b=%20",
    "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": "12",
    "HTTP_X_HUB_SIGNATURE_256": "sha256=ab",
    "HTTP_HOST": "internal:8000",
    "HTTP_X_FORWARDED_FOR": "198.51.100.1, 203.0.113.5, 10.0.0.2",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "hooks.example",
    "REMOTE_ADDR": "10.0.0.3",
    "wsgi.url_scheme": "http",
}


def test_a_webhook_path_is_key_and_rest() -> None:
    head = read_head(ENVIRON, public_url="", trusted_proxies=0)
    assert head is not None
    assert (head.method, head.key, head.path, head.length) == ("POST", "some-key", "messages/post", 12)
    assert head.headers["x-hub-signature-256"] == "sha256=ab"
    assert head.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/", "/healthz", "/webhooks", "/Webhooks/x", "/v1/webhooks/x"])
def test_any_other_path_has_no_head(path: str) -> None:
    assert read_head({**ENVIRON, "PATH_INFO": path}, public_url="", trusted_proxies=0) is None


@pytest.mark.parametrize(
    ("proxies", "address", "url"),
    [
        (0, "10.0.0.3", "http://internal:8000/webhooks/some-key/messages/post?a=1&b=%20"),
        (1, "10.0.0.2", "https://hooks.example/webhooks/some-key/messages/post?a=1&b=%20"),
        (2, "203.0.113.5", "https://hooks.example/webhooks/some-key/messages/post?a=1&b=%20"),
        (5, "10.0.0.3", "https://hooks.example/webhooks/some-key/messages/post?a=1&b=%20"),
    ],
)
def test_only_as_many_proxies_are_believed_as_there_are(proxies: int, address: str, url: str) -> None:
    head = read_head(ENVIRON, public_url="", trusted_proxies=proxies)
    assert head is not None
    assert (head.address, head.url) == (address, url)


def test_the_public_url_is_the_one_that_is_set() -> None:
    head = read_head(ENVIRON, public_url="https://public.example", trusted_proxies=0)
    assert head is not None
    assert head.url == "https://public.example/webhooks/some-key/messages/post?a=1&b=%20"


@pytest.mark.parametrize("length", ["-1", "+5", "1 2", "٣", "0x10", "9" * 30, "1.0"])
def test_a_length_that_is_no_number_is_no_length(length: str) -> None:
    head = read_head({**ENVIRON, "CONTENT_LENGTH": length}, public_url="", trusted_proxies=0)
    assert head is not None
    assert head.length == -1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("not an address", "unknown"),
        ("", "unknown"),
    ],
)
def test_only_the_network_of_a_sender_is_logged(address: str, network: str) -> None:
    assert network_of(address) == network
