"""Set-up in the console: from a provider to the first webhook, secrets shown once, and what belongs to everybody."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from shared.db.channels import all_channels, open_secrets
from shared.db.webhooks import NewWebhook, insert_webhooks
from shared.ids import uuid7
from shared.providers import PROVIDERS
from shared.providers.base import Request
from tests.integration.web.test_pages import log_in
from tests.integration.web.test_team import said

CHANNEL = {"provider": "whapi", "name": "Main shop", "zone": "America/Sao_Paulo", "currency": "BRL"}


def add(site, browser, **more):
    page = browser.post(site.path("setup/channels"), {**CHANNEL, **more}, page="/account/")
    channel = site.rows("select id, key from channels order by id desc limit 1")
    return page, channel[0] if channel else None


def test_a_channel_is_added_with_its_address_and_a_secret_that_is_shown_this_once(site):
    owner = site.as_role("owner")
    assert "Whapi.Cloud" in owner.get(site.path("setup/channels/new")).text
    assert 'name="secret.header"' in owner.get(site.path("setup/channels/new?provider=whapi")).text
    page, channel = add(site, owner)
    assert f"https://hooks.example.com/webhooks/{channel['key']}" in page.text
    secret = re.search(r'id="secret-token"[^>]*value="([^"]+)"', page.text)[1]
    later = owner.get(site.path(f"setup/channels/{channel['id']}"))
    assert secret not in later.text
    assert "Waiting for the first webhook" in owner.get(site.path(f"setup/channels/{channel['id']}/first")).text
    assert secret in owner.post(site.path(f"setup/channels/{channel['id']}/secrets")).text
    actions = site.rows("select action, workspace from audit_log where action like 'channel.%%' order by id")
    assert actions == [
        {"action": "channel.add", "workspace": "default"},
        {"action": "channel.reveal", "workspace": "default"},
    ]
    assert site.as_role("viewer").post(site.path(f"setup/channels/{channel['id']}/secrets")).status_code == 403


def receive(site, channel):
    """A webhook of the channel as the receiver stores it; its id."""
    body = b'{"messages": []}'
    webhook = NewWebhook(
        id=uuid7(), received_at=datetime.now(UTC), source="channel", source_id=channel["id"], method="POST", path="",
        query="", headers={"content-type": "application/json"}, body=site.runtime.ring.seal(body), body_bytes=len(body),
    )  # fmt: skip
    with psycopg.connect(site.owner_url) as conn:
        insert_webhooks(conn, [webhook])
    return webhook.id


def test_the_first_webhook_shows_and_what_was_understood_of_it(site):
    owner = site.as_role("owner")
    _, channel = add(site, owner)
    receive(site, channel)
    path = site.path(f"setup/channels/{channel['id']}/first")
    assert "is being read" in owner.get(path).text
    site.execute("update webhooks set state = 'done', messages = 0, automatic_events = 0, duplicates = 0,"
                 " ignored = '{\"empty\": 1}', finished_at = now()")  # fmt: skip
    page = owner.get(path).text
    assert "hx-get" not in page, "there is nothing to wait for"
    assert "1 × empty" in page
    stranger = site.as_role("owner", "other")
    elsewhere = site.path(f"setup/channels/{channel['id']}/first", "other")
    assert stranger.get(elsewhere).status_code == 404


def test_a_sample_goes_through_a_test_channel_only_signed_as_its_provider_signs(site, httpserver):
    owner = site.as_role("owner")
    _, live = add(site, owner)
    path = "setup/channels/{}/sample/"
    refused = owner.post(site.path(path.format(live["id"])), {"case": "ad"})
    assert "test channels only" in said(owner, refused)[0]
    _, channel = add(site, owner, name="Trial", test="1")
    site.runtime.settings = replace(site.runtime.settings, public_url="http://127.0.0.1:1")
    away = owner.post(site.path(path.format(channel["id"])), {"case": "ad"})
    assert "didn&#39;t answer" in owner.get(away.headers["Location"]).text
    site.runtime.settings = replace(site.runtime.settings, public_url=httpserver.url_for("").rstrip("/"))
    httpserver.expect_request(f"/webhooks/{channel['key']}", method="POST").respond_with_data("taken")
    sent = owner.post(site.path(path.format(channel["id"])), {"case": "ad"})
    assert "was taken in" in said(owner, sent)[0]
    request, _ = httpserver.log[0]
    with psycopg.connect(site.owner_url) as conn:
        [secrets] = open_secrets(
            site.runtime.ring, next(one for one in all_channels(conn) if one.id == channel["id"]).secrets
        )
    headers = {name.lower(): value for name, value in request.headers.items()}
    posted = Request(headers=headers, body=request.get_data(), received_at=datetime.now(UTC))
    assert PROVIDERS["whapi"].verify(posted, [secrets])
    assert site.rows("select subject from audit_log where action = 'channel.sample'")[-1] == {
        "subject": "channel:Trial"
    }


def test_a_new_secret_is_taken_beside_the_present_one_until_that_is_forgotten(site):
    owner = site.as_role("owner")
    page, channel = add(site, owner)
    old = re.search(r'id="secret-token"[^>]*value="([^"]+)"', page.text)[1]
    path = site.path(f"setup/channels/{channel['id']}")
    new = re.search(r'id="secret-token"[^>]*value="([^"]+)"', owner.post(f"{path}/rotate").text)[1]
    assert new != old
    assert "Two sets of secrets" in owner.get(path).text
    assert said(owner, owner.post(f"{path}/rotate/finish")) == ["The previous secrets are no longer taken."]


def test_a_channel_is_changed_and_switched_off(site):
    owner = site.as_role("owner")
    _, channel = add(site, owner)
    path = site.path(f"setup/channels/{channel['id']}")
    form = {"name": "Shop", "dataset": "", "currency": "eur", "country": "", "zone": "UTC", "posts": "send"}
    assert said(owner, owner.post(path, form)) == ["Changed."]
    assert said(owner, owner.post(f"{path}/switch", {"enabled": "0"})) == [
        "The channel is off: its webhooks get a 404."
    ]
    waiting = owner.get(f"{path}/first").text
    assert "get a 404" in waiting
    assert "hx-get" not in waiting
    row = site.rows("select name, currency, post_policy, enabled from channels")
    assert row == [{"name": "Shop", "currency": "EUR", "post_policy": "send", "enabled": False}]
    assert "time zone" in said(owner, owner.post(path, {**form, "zone": "Mars"}))[0]


def test_datasets_and_tokens_are_changed_by_who_owns_everything_and_a_token_is_never_shown(site):
    everything = site.as_user(site.add_user("ana@example.com"))
    token = "EAAB" + "x" * 40
    add_token = {"name": "meta", "token": token}
    owner = site.as_role("owner")
    assert "whole installation" in said(owner, owner.post(site.path("datasets/tokens"), add_token, page="/account/"))[0]
    everything.post(site.path("datasets/tokens"), add_token, page="/account/")
    dataset = {"name": "acme", "meta_id": "1234", "waba_id": "5678", "credential": "meta"}
    everything.post(site.path("datasets/"), dataset)
    number = site.rows("select id from datasets")[0]["id"]
    path = site.path(f"datasets/{number}")
    assert (
        said(everything, everything.post(f"{path}/test-mode", {"code": "TEST1"}))[-1] == "Test mode is on for an hour."
    )
    page = everything.get(site.path("datasets/")).text
    assert "TEST MODE on acme" in page
    assert token not in page
    assert said(everything, everything.post(f"{path}/pause")) == [
        "Paused. What comes waits, for six and a half days at most."
    ]
    assert said(everything, everything.post(f"{path}/resume")) == ["It sends again."]
    everything.post(f"{path}/change", {"sending": "dry-run", "waba_id": "5678", "credential": "meta"})
    assert site.rows("select sending from datasets") == [{"sending": "dry-run"}]
    everything.post(f"{path}/probe")
    tried = site.rows("select actor, subject from audit_log where action = 'dataset.probe'")
    assert [row["subject"] for row in tried] == ["dataset:acme"]
    assert owner.post(f"{path}/probe").status_code == 404, "not one that a channel of this workspace has"


@pytest.mark.timeout(600)
def test_the_set_up_looks_right(site, visitor):
    everything = site.as_user(site.add_user("ana@example.com", name="Ana Souza"))
    _, channel = add(site, site.as_role("owner"))
    everything.post(site.path("datasets/tokens"), {"name": "meta", "token": "E" * 40}, page="/account/")
    everything.post(site.path("datasets/"), {"name": "acme", "meta_id": "1234", "credential": "meta"})
    log_in(visitor, "ana@example.com")
    wrong = []
    for name, path in (
        ("setup", "setup/"),
        ("channel new", "setup/channels/new"),
        ("channel", f"setup/channels/{channel['id']}"),
        ("datasets", "datasets/"),
    ):
        # A page that waits for a webhook never falls silent, so the load is waited for.
        visitor.page.goto(visitor.url + site.path(path), wait_until="load")
        wrong += visitor.look(name)
    webhook = receive(site, channel)
    site.execute("update webhooks set state = 'rejected', reason = 'no_json', finished_at = now()")
    visitor.open(site.path(f"webhooks/{webhook}"))
    wrong += visitor.look("webhook")
    visitor.open(site.path("webhooks/"))
    visitor.page.get_by_role("button", name="Read again …").click()
    visitor.page.get_by_role("button", name="Read 1 webhook again").wait_for()
    wrong += visitor.look("replay")
    assert wrong == []
