"""The Flask application as a plain WSGI application, as gunicorn would run it."""

import io
import json

import pytest
from flask import Flask

from receiver.inbox import Inbox
from shared.limits import RefusalLimit
from shared.providers.base import Request
from tests.unit.receiver.makers import (
    APP_SECRET,
    KEY,
    TOKEN,
    VERIFY_TOKEN,
    FakeInbox,
    FakePostgres,
    app,
    channel,
    door,
)

URL = f"/webhooks/{KEY}"
GOOD = {"X-Webhook-Secret": TOKEN}


def test_an_authentic_webhook_is_kept_and_answered() -> None:
    inbox = FakeInbox()
    answer = app(door(channel(), inbox=inbox)).test_client().post(URL, data=b"not even json", headers=GOOD)
    assert (answer.status_code, answer.data) == (200, b"")
    (kept,) = inbox.taken
    assert (kept.source, kept.source_id, kept.method, kept.body_bytes) == ("channel", 7, "POST", 13)


@pytest.mark.parametrize(
    ("reason", "status", "retry"), [("not_durable", 503, "5"), ("memory", 503, "5"), ("unstorable", 500, None)]
)
def test_what_is_not_durable_is_not_acknowledged(reason: str, status: int, retry: str | None) -> None:
    answer = app(door(channel(), inbox=FakeInbox(reason))).test_client().post(URL, data=b"x", headers=GOOD)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry)


def test_it_waits_for_the_commit_under_a_plain_wsgi_server() -> None:
    postgres = FakePostgres()
    inbox = Inbox(postgres=postgres, spool=None, stored=lambda: None)  # type: ignore[arg-type]
    inbox.start()
    answer = app(door(channel(), inbox=inbox)).test_client().post(URL, data=b"x", headers=GOOD)
    assert answer.status_code == 200
    assert len(postgres.rows) == 1
    inbox.close()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/webhooks/unknown-000000000000", GOOD, 404),
        ("POST", "/webhooks/", GOOD, 404),
        ("POST", URL, {}, 401),
        ("POST", URL, {"X-Webhook-Secret": "wrong"}, 401),
        ("GET", URL, GOOD, 405),
        ("OPTIONS", URL, GOOD, 405),
        ("HEAD", URL, GOOD, 405),
        ("POST", "/", {}, 405),
        ("GET", "/nothing", {}, 404),
    ],
)
def test_what_is_refused_is_answered_with_an_empty_body(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    inbox = FakeInbox()
    answer = app(door(channel(), inbox=inbox)).test_client().open(path, method=method, headers=headers)
    assert (answer.status_code, answer.data) == (status, b"")
    assert inbox.taken == []


def test_nobody_is_unknown_while_no_channels_are_known() -> None:
    answer = app(door(known=False)).test_client().post(URL, data=b"x", headers=GOOD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_whapis_path_and_method_modes_are_kept_as_they_came(method: str) -> None:
    inbox = FakeInbox()
    client = app(door(channel(), inbox=inbox)).test_client()
    assert client.open(f"{URL}/messages/patch", method=method, data=b"{}", headers=GOOD).status_code == 200
    assert (inbox.taken[0].method, inbox.taken[0].path) == (method, "messages/patch")


def test_metas_challenge_is_echoed_as_text() -> None:
    client = app(door(channel("meta_cloud"))).test_client()
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY_TOKEN}
    answer = client.get(URL, query_string=query)
    assert (answer.status_code, answer.data) == (200, b"1158201444")
    assert answer.content_type.startswith("text/plain")
    for wrong in ({"hub.verify_token": "x"}, {"hub.mode": "x"}, {"hub.challenge": "<script>"}):
        assert client.get(URL, query_string={**query, **wrong}).status_code == 403


def test_every_single_byte_of_a_signed_body_counts() -> None:
    meta = channel("meta_cloud")
    client = app(door(meta)).test_client()
    body = b'{"entry":[{"text":"\\u00e9 \xc3\xa9"}]}'
    signature = _signature(body)
    assert client.post(URL, data=body, headers=signature).status_code == 200
    for position in range(len(body)):
        forged = bytearray(body)
        forged[position] ^= 1
        assert client.post(URL, data=bytes(forged), headers=signature).status_code == 401


@pytest.mark.parametrize("value", ["", "sha1=ab", "sha256=zz", "SHA256=ab", "sha256=é", "sha256=" + "0" * 64])
def test_a_malformed_signature_is_refused_and_breaks_nothing(value: str) -> None:
    client = app(door(channel("meta_cloud"))).test_client()
    answer = client.post(URL, data=b"{}", headers={"X-Hub-Signature-256": value})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("length", "sent", "status"), [(1000, 1000, 200), (1001, 1001, 413), (10, 4, 400), (0, 0, 200)]
)
def test_a_body_of_declared_length_is_whole_or_refused(length: int, sent: int, status: int) -> None:
    assert _raw(app(door(channel())), body=b"x" * sent, CONTENT_LENGTH=str(length)) == status


@pytest.mark.parametrize(("sent", "proxies", "status"), [(1000, 1, 200), (1001, 1, 413), (5, 0, 411)])
def test_a_chunked_body_is_counted_and_never_cut(sent: int, proxies: int, status: int) -> None:
    inbox = FakeInbox()
    flask = app(door(channel(), inbox=inbox, trusted_proxies=proxies))
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert _raw(flask, body=b"x" * sent, **chunked) == status
    assert [kept.body_bytes for kept in inbox.taken] == ([sent] if status == 200 else [])


def test_two_lengths_are_refused() -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": "1"}
    assert _raw(app(door(channel(), trusted_proxies=1)), body=b"x", **chunked) == 400


def test_an_address_that_is_refused_too_often_waits_and_an_authentic_one_never() -> None:
    client = app(door(channel(), refusals=RefusalLimit(burst=2, per_second=0.001))).test_client()
    answers = [client.post(URL, data=b"x") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
    assert answers[-1].headers["Retry-After"] == "5"
    assert client.post(URL, data=b"x", headers=GOOD).status_code == 200


def test_a_failure_of_ours_says_where_and_not_what(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(FakeInbox):
        def put(self, ticket):  # type: ignore[no-untyped-def]
            raise RuntimeError("person +491700000000")

    answer = app(door(channel(), inbox=Broken())).test_client().post(URL, data=b"x", headers=GOOD)
    assert (answer.status_code, answer.data) == (500, b"")
    printed = capsys.readouterr()
    assert "491700000000" not in printed.out + printed.err


def test_health_and_readiness_say_how_it_is() -> None:
    client = app(door(channel())).test_client()
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, json.loads(ready.data)["sink"]) == (200, "postgres")
    assert app(door(known=False)).test_client().get("/readyz").status_code == 503
    assert b"/webhooks/" in client.get("/").data


def _signature(body: bytes) -> dict[str, str]:
    meta = channel("meta_cloud").provider
    return dict(meta.sign(Request(body=body), {"app_secret": APP_SECRET}))


def _raw(flask: Flask, *, body: bytes, **environ: object) -> int:
    started: list[str] = []
    whole = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": URL,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_X_WEBHOOK_SECRET": TOKEN,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    list(flask(whole, lambda status, headers, exc_info=None: started.append(status)))
    return int(started[0][:3])
