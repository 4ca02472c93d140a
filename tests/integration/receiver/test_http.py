"""What a running receiver answers, over real sockets."""

import psycopg
import pytest
import requests

from tests.integration.receiver.harness import (
    META,
    SECRETS,
    WHAPI,
    Receiver,
    World,
    as_role,
    request_head,
    running,
    signature,
    wait_until,
)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def test_a_200_means_that_the_webhook_is_durable(receiver: Receiver, shared_world: World) -> None:
    for number in range(20):
        body = b"row %d" % number
        answer = receiver.post(body)
        assert (answer.status_code, answer.content) == (200, b"")
        assert body in shared_world.kept()


@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff\xfe", b"[" * 100_000, b'{"a":1e999}', b"a=1&b=%zz", bytes(3 * 1024 * 1024)]
)
def test_any_authentic_body_is_kept_as_it_came(receiver: Receiver, shared_world: World, body: bytes) -> None:
    assert receiver.post(body).status_code == 200
    wait_until(lambda: body in shared_world.stored())


def test_a_signature_is_of_the_bytes_as_they_came(receiver: Receiver, shared_world: World) -> None:
    body = b'{"text":"\\ud83d\\ude00 \\/ caf\\u00e9", "z":1.0}'
    assert receiver.post(body, META).status_code == 200
    wait_until(lambda: body in shared_world.stored())
    url = f"{receiver.url}/webhooks/{META}"
    for forged in (body.replace(b" ", b""), body + b"\n"):
        assert requests.post(url, data=forged, headers=signature(body, META), timeout=5).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["", "/", "/messages/post", "/statuses/put/"])
def test_whapis_modes_arrive_with_path_and_method(
    receiver: Receiver, shared_world: World, method: str, path: str
) -> None:
    body = f"{method} {path}".encode()
    url = f"{receiver.url}/webhooks/{WHAPI}{path}"
    assert requests.request(method, url, data=body, headers=signature(body), timeout=5).status_code == 200
    wait_until(lambda: body in shared_world.stored())
    with psycopg.connect(shared_world.owner_url) as conn:
        rows = conn.execute("select method, path, body from webhooks").fetchall()
    assert (method, path.removeprefix("/")) in {
        (row[0], row[1]) for row in rows if shared_world.ring.open(row[2]) == body
    }


def test_metas_challenge(receiver: Receiver) -> None:
    url = f"{receiver.url}/webhooks/{META}"
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": SECRETS[META]["verify_token"]}
    answer = requests.get(url, params=query, timeout=5)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert requests.get(url, params={**query, "hub.verify_token": "x"}, timeout=5).status_code == 403


def test_headers_and_query_are_kept_without_their_secrets(receiver: Receiver, shared_world: World) -> None:
    url = f"{receiver.url}/webhooks/{WHAPI}?kind=x&token={SECRETS[WHAPI]['token']}"
    headers = {**signature(b""), "Content-Type": "application/json", "Cookie": "a=b", "X-Request-Id": "r-1"}
    assert requests.post(url, data=b"kept headers", headers=headers, timeout=5).status_code == 200
    wait_until(lambda: b"kept headers" in shared_world.stored())
    with psycopg.connect(shared_world.owner_url) as conn:
        rows = conn.execute("select query, headers, body from webhooks").fetchall()
    (kept,) = [row[:2] for row in rows if shared_world.ring.open(row[2]) == b"kept headers"]
    assert kept[0] == "kind=x"
    assert {name: kept[1][name] for name in kept[1] if name != "user-agent"} == {
        "content-type": "application/json",
        "x-request-id": "r-1",
    }


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"POST /webhooks/unknown-channel-000 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 404),
        (request_head(3 * 1024 * 1024 + 1), 413),
        (request_head(None, extra="Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n", 411),
        (request_head(3, extra="Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n", 411),
        (request_head(None, extra="Transfer-Encoding: chunked\r\nContent-Length: 3") + b"3\r\nabc\r\n0\r\n\r\n", 411),
        (request_head(None, extra="Transfer-Encoding: xchunked") + b"abc", 400),
        (request_head(3, extra="Content-Length: 4") + b"abcd", 400),
        (request_head(None, extra="Content-Length: -3") + b"abc", 400),
        (request_head(None, extra="Content-Length: 3 ,3") + b"abc", 400),
        (request_head(0, extra="X-Padding: " + "x" * 40_000), 431),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_the_form_of_a_request(receiver: Receiver, request_bytes: bytes, expected: int) -> None:
    assert status(receiver.raw(request_bytes)) == expected


def test_a_new_channel_works_at_once_and_a_disabled_one_does_not(receiver: Receiver, shared_world: World) -> None:
    def post(key: str) -> int:
        url = f"{receiver.url}/webhooks/{key}"
        return requests.post(url, data=b"x", headers=signature(b"x"), timeout=5).status_code

    shared_world.add_channel("disabled-0000000000000", "whapi", SECRETS[WHAPI], enabled=False)
    shared_world.add_channel("added-later-00000000000", "whapi", SECRETS[WHAPI])
    wait_until(lambda: post("added-later-00000000000") == 200, 5)
    assert post("disabled-0000000000000") == 404
    assert '"reason": "disabled_channel"' in receiver.output()


def test_behind_a_proxy_chunked_bodies_are_counted_and_strangers_are_told_apart(world: World) -> None:
    def chunks(size: int):  # type: ignore[no-untyped-def]
        for _ in range(size // 1000):
            yield b"x" * 1000

    with running(world, TRUSTED_PROXIES="1", MAX_BODY_BYTES="100000") as receiver:
        url = f"{receiver.url}/webhooks/{WHAPI}"
        assert requests.post(url, data=chunks(100_000), headers=signature(b""), timeout=5).status_code == 200
        assert requests.post(url, data=chunks(101_000), headers=signature(b""), timeout=5).status_code == 413
        assert [len(body) for body in world.kept()] == [100_000]
        one, other = {"X-Forwarded-For": "1.1.1.1, 203.0.113.1"}, {"X-Forwarded-For": "203.0.113.1, 203.0.113.2"}
        answers = [requests.post(url, headers=one, timeout=5).status_code for _ in range(200)]
        assert set(answers) == {401, 429}
        assert requests.post(url, headers=other, timeout=5).status_code == 401
        # Somebody authentic is never limited, whatever came from its address.
        assert requests.post(url, data=b"x", headers={**one, **signature(b"x")}, timeout=5).status_code == 200


def test_the_receivers_role_is_enough_and_can_do_nothing_else(shared_world: World) -> None:
    with psycopg.connect(as_role(shared_world.owner_url, "ctwa_receiver"), autocommit=True) as conn:
        granted = conn.execute(
            """
            select c.relname, p.privilege from pg_class c, unnest(array['select', 'insert', 'update', 'delete',
                'truncate', 'references', 'trigger']) as p(privilege)
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
              and has_table_privilege(c.oid, p.privilege)
            """
        ).fetchall()
        columns = conn.execute(
            """
            select a.attname from pg_attribute a where a.attrelid = 'channels'::regclass and a.attnum > 0
              and has_column_privilege(a.attrelid, a.attnum, 'select')
            """
        ).fetchall()
        assert granted == [("webhooks", "insert")]
        assert {row[0] for row in columns} == {"id", "key", "provider", "secrets", "unsigned", "enabled"}
        for statement in ("select id from webhooks", "select name from channels", "select * from credentials"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)
