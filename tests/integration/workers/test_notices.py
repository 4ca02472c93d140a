"""Notices on their way: signed webhooks, Slack and mail really arrive, and what does not arrive is tried again."""

import dataclasses
import json
import random
from uuid import UUID

import psycopg
import pytest
from standardwebhooks import Webhook

from shared.db.alert_notices import claim_notice, insert_notice, settle_notice
from shared.db.alert_routes import Target, insert_route, seal_target
from shared.ids import uuid7
from shared.signing import new_secret
from tests.integration.workers.mail_server import running_mail_server
from workers.notices import MOST_ATTEMPTS, send_due, wait_after

SECRET = new_secret()


def add_notice(world, *, kind="webhook", address="", allow_private=True, alerts=1):
    """A route, and a notice to it about so many alerts; the notice's id."""
    notice_id = uuid7()
    with psycopg.connect(world.url) as conn:
        route = insert_route(
            conn, workspace=None, name=f"route {notice_id}", kind=kind,
            target=seal_target(world.runtime.secret_ring, Target(address=address, secrets=(SECRET,))),
            shown="x", allow_private=allow_private, by="test",
        )  # fmt: skip
        ids = [
            conn.execute(
                "insert into alerts (workspace, kind, subject, detail) values ('default', 'unknown', %s, %s)"
                " returning id",
                [f"dataset:d{number}", json.dumps({"count": 2, "age": "3 h"})],
            ).fetchone()[0]
            for number in range(alerts)
        ]
        insert_notice(conn, notice_id, route, opened=ids)
    return notice_id


def notice(world, notice_id):
    return world.rows("select * from alert_notices where id = %s", notice_id)[0]


def test_a_webhook_arrives_signed_as_the_standard_has_it(world, httpserver):
    httpserver.expect_request("/hook", method="POST").respond_with_data("", status=204)
    notice_id = add_notice(world, address=httpserver.url_for("/hook"))
    assert send_due(world.runtime) == 1
    request, _ = httpserver.log[0]
    event = Webhook(SECRET).verify(request.data, dict(request.headers))
    assert event["data"]["alerts"][0]["words"].startswith("2 deliveries to dataset d0")
    assert request.headers["webhook-id"] == f"msg_{notice_id.hex}"
    assert request.headers["Content-Type"] == "application/json"
    assert notice(world, notice_id)["state"] == "sent"
    assert send_due(world.runtime) == 0


def test_slack_gets_text_and_no_signature(world, httpserver):
    httpserver.expect_request("/services/T0/B0/x").respond_with_data("ok")
    add_notice(world, kind="slack", address=httpserver.url_for("/services/T0/B0/x"), alerts=5)
    assert send_due(world.runtime) == 1
    request, _ = httpserver.log[0]
    assert request.json["text"].startswith("Alerts: 5 new")
    assert "webhook-signature" not in request.headers


def with_mail(world, url):
    settings = dataclasses.replace(world.runtime.settings, smtp_url=url, mail_from="Alerts <alerts@example.test>")
    world.runtime = dataclasses.replace(world.runtime, settings=settings)


def test_a_mail_arrives(world):
    with running_mail_server() as server:
        with_mail(world, server.url)
        notice_id = add_notice(world, kind="email", address="ops@example.test")
        assert send_due(world.runtime) == 1
    [mail] = server.mails
    assert (mail["To"], mail["From"]) == ("ops@example.test", "Alerts <alerts@example.test>")
    assert mail["Subject"] == "[ctwa] New: Outcomes unknown (d0)"
    assert mail["Message-ID"] == f"<{notice_id}@example.test>"
    assert "What to do:" in mail.get_content()


@pytest.mark.parametrize(
    ("verb", "answer", "reason"),
    [
        (b"RCPT", b"550 no such user", "smtp_refused"),
        (b"MAIL", b"553 not you", "smtp_refused"),
        (b"AUTH", b"535 wrong", "smtp_login_refused"),
        (b"EHLO", b"421 too busy", "smtp_failed"),
    ],
)
def test_what_a_mail_server_refuses_is_told_and_tried_again(world, verb, answer, reason):
    with running_mail_server() as server:
        server.answers = {b"EHLO": b"250-mail.example.test\r\n250 AUTH PLAIN", b"HELO": b"421 too busy", verb: answer}
        with_mail(world, server.url.replace("smtp://", "smtp://user:word@") if verb == b"AUTH" else server.url)
        notice_id = add_notice(world, kind="email", address="ops@example.test")
        assert send_due(world.runtime) == 0
    row = notice(world, notice_id)
    assert (row["state"], row["reason"]) == ("pending", reason)


def test_without_a_mail_server_it_is_told_so(world):
    notice_id = add_notice(world, kind="email", address="ops@example.test")
    send_due(world.runtime)
    assert notice(world, notice_id)["reason"] == "smtp_not_set"


def test_what_does_not_arrive_is_tried_again_later_under_the_same_id_and_given_up_at_last(world, httpserver):
    httpserver.expect_request("/hook").respond_with_data("", status=500)
    notice_id = add_notice(world, address=httpserver.url_for("/hook"))
    for attempt in range(1, MOST_ATTEMPTS + 1):
        send_due(world.runtime)
        row = notice(world, notice_id)
        assert (row["attempts"], row["reason"]) == (attempt, "answered_500")
        assert row["state"] == ("pending" if attempt < MOST_ATTEMPTS else "failed")
        assert send_due(world.runtime) == 0
        world.execute("update alert_notices set next_attempt_at = now() where state = 'pending'")
    assert len(httpserver.log) == MOST_ATTEMPTS
    assert {request.headers["webhook-id"] for request, _ in httpserver.log} == {f"msg_{notice_id.hex}"}


def test_waits_double_up_to_an_hour_and_end():
    rng = random.Random(1)
    waits = [wait_after(attempts, rng) for attempts in range(1, MOST_ATTEMPTS)]
    for number, wait in enumerate(waits):
        assert wait is not None
        assert min(30 * 2**number, 3600) / 2 <= wait <= min(30 * 2**number, 3600)
    assert wait_after(MOST_ATTEMPTS, rng) is None


def test_a_private_address_is_not_knocked_at_unless_the_route_allows_it(world, httpserver):
    notice_id = add_notice(world, address=f"https://127.0.0.1:{httpserver.port}/", allow_private=False)
    send_due(world.runtime)
    assert notice(world, notice_id)["reason"] == "address_refused"
    assert httpserver.log == []


def test_a_notice_whose_sender_died_is_sent_by_another_and_the_late_one_changes_nothing(world, httpserver):
    httpserver.expect_request("/hook").respond_with_data("")
    notice_id = add_notice(world, address=httpserver.url_for("/hook"))
    with world.runtime.pool.connection() as conn:
        dead = claim_notice(conn, lease_seconds=60)
        assert dead is not None
    assert send_due(world.runtime) == 0
    world.execute("update alert_notices set lease_until = now() - interval '1 s'")
    assert send_due(world.runtime) == 1
    with world.runtime.pool.connection() as conn:
        assert not settle_notice(conn, dead, reason="timed_out", retry_seconds=1)
    assert notice(world, notice_id)["state"] == "sent"


def test_a_target_that_no_key_opens_is_told(world):
    notice_id = add_notice(world, address="https://hooks.example.com")
    world.execute("update alert_routes set target = %s", b"nonsense")
    send_due(world.runtime)
    assert notice(world, UUID(str(notice_id)))["reason"] == "cannot_decrypt"
