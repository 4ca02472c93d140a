"""Twilio's signature, which covers the URL; its payloads are fixtures (test_every_provider)."""

import hashlib
from urllib.parse import urlencode

import pytest

from shared.providers.base import Request
from shared.providers.twilio import PROVIDER, sign, verify

# The vectors of Twilio's own library: https://github.com/twilio/twilio-python/blob/main/tests/unit/test_request_validator.py
TOKEN = {"auth_token": "12345"}
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
PARAMETERS = {
    "CallSid": "CA1234567890ABCDE",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
    "Caller": "+14158675309",
}
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
JSON = b'{"property": "value", "boolean": true}'
JSON_URL = URL + "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
JSON_SIGNATURE = "a9nBmqA0ju/hNViExpshrM61xv4="


def request(signature: str = SIGNATURE, url: str = URL, body: bytes = urlencode(PARAMETERS).encode()) -> Request:
    return Request(headers={"x-twilio-signature": signature}, url=url, body=body)


def test_twilios_own_vectors_are_authentic() -> None:
    assert verify(request(), [TOKEN])
    assert verify(request(JSON_SIGNATURE, JSON_URL, JSON), [TOKEN])
    assert sign(request(), TOKEN) == {"X-Twilio-Signature": SIGNATURE}


def test_the_vector_of_twilios_documentation_is_authentic() -> None:
    # https://www.twilio.com/docs/usage/webhooks/webhooks-security
    body = urlencode({**PARAMETERS, "From": "+12349013030", "Caller": "+12349013030"}).encode()
    assert verify(request("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", body=body), [TOKEN])


def test_the_order_of_the_parameters_and_their_encoding_do_not_matter() -> None:
    body = b"To=%2b18005551212&From=%2B14158675309&Digits=1234&Caller=%2B14158675309&CallSid=CA1234567890ABCDE"
    assert verify(request(body=body), [TOKEN])


@pytest.mark.parametrize(
    ("signed_for", "asked_for"),
    [
        ("https://hooks.example:443/webhooks/k", "https://hooks.example/webhooks/k"),
        ("https://hooks.example/webhooks/k", "https://hooks.example:443/webhooks/k"),
        ("http://hooks.example:80/webhooks/k", "http://hooks.example/webhooks/k"),
        ("https://hooks.example/webhooks/k", "https://hooks.example:8443/webhooks/k"),
        ("https://hooks.example:8443/webhooks/k?a=1", "https://hooks.example:8443/webhooks/k?a=1"),
    ],
)
def test_the_port_may_be_in_the_signed_url_or_not(signed_for: str, asked_for: str) -> None:
    signature = sign(request(url=signed_for), TOKEN)["X-Twilio-Signature"]
    assert verify(request(signature, asked_for), [TOKEN])


@pytest.mark.parametrize(
    "changed",
    [
        request(url=URL.replace("https", "http")),
        request(url=URL.replace("mycompany", "yourcompany")),
        request(url=URL + "&baz=3"),
        request(url=URL.replace("/myapp.php", "/myapp.php/")),
        request(url=""),
        request(url="https://[broken/"),
        request(url="https://mycompany.com:port/myapp.php?foo=1&bar=2"),
        request(body=urlencode({**PARAMETERS, "Digits": "1235"}).encode()),
        request(body=urlencode({**PARAMETERS, "Extra": ""}).encode()),
        request(body=urlencode(dict(list(PARAMETERS.items())[1:])).encode()),
        request(body=b""),
        request(body=b"From=%ff"),
        request(body=b"From=\xff"),
        request(body=b"&".join(b"a%d=1" % number for number in range(1_001))),
        request(SIGNATURE.lower()),
        request(SIGNATURE + "\n"),
        request(f"{SIGNATURE}, {SIGNATURE}"),
        request("é" + SIGNATURE[1:]),
        request(JSON_SIGNATURE, JSON_URL, JSON + b" "),
        request(JSON_SIGNATURE, JSON_URL, urlencode(PARAMETERS).encode()),
    ],
    ids=range(20),
)
def test_another_url_body_or_signature_is_refused(changed: Request) -> None:
    assert not verify(changed, [TOKEN])


def test_a_blank_parameter_and_one_that_comes_twice_are_signed_as_twilio_does() -> None:
    body = b"Body=&Media=b&Media=a&Media=b"
    signed = b"https://hooks.example/kBodyMediaaMediab"
    expected = sign(Request(url=signed.decode(), body=b""), TOKEN)
    assert sign(Request(url="https://hooks.example/k", body=body), TOKEN) == expected


def test_a_form_under_a_url_that_names_its_hash_is_authentic() -> None:
    body = urlencode(PARAMETERS).encode()
    url = f"{URL}&bodySHA256={hashlib.sha256(body).hexdigest().upper()}"
    assert verify(request(sign(request(url=url), TOKEN)["X-Twilio-Signature"], url, body), [TOKEN])


def test_the_answer_is_twiml_that_says_nothing() -> None:
    assert PROVIDER.answer == ("application/xml", b"<Response></Response>")
