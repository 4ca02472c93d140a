"""Rules at work in intake, over a real database: what they make of messages, labels and stages, and what stops them."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from shared.db.rules import insert_rule
from shared.domain.rule_definitions import check_definition
from shared.domain.submissions import Person, SubmittedStage
from tests.integration.workers.reports import PHONE, hours_ago, report
from workers import rules as rules_module
from workers.rule_book import RuleBook
from workers.rules import RuleRun

QUALIFIED = {"event": "QualifiedLead"}


@pytest.fixture
def channel(world):
    # Each batch reads the rules anew.
    object.__setattr__(world.runtime, "rules", RuleBook(seconds=0))
    return world.add_channel(dataset_id=world.add_dataset(), currency="BRL")


def add_rule(world, when, then, *, name="rule", enabled=True, channel_id=None) -> int:
    definition = check_definition({"when": when, "then": then}).written
    with psycopg.connect(world.url) as conn:
        rule_id = insert_rule(
            conn,
            workspace="default",
            channel_id=channel_id,
            name=name,
            enabled=enabled,
            definition=definition,
            actor="t",
        )
        conn.execute("update rules set enabled_at = enabled_at - interval '1 day' where enabled")
        return rule_id


def click(world, channel, *, hours=2.0, phone=PHONE):
    world.receive_sample(channel, phone=phone, now=hours_ago(hours))
    world.intake()


def message(text: str, *, number: int, mine: bool = False, source: str = "mobile", hours: float = 1.0, **more: Any):
    return {
        "id": f"Qk3nT7xYb2ZLmA-rule{number:06d}", "from_me": mine, "type": "text", "chat_id": f"{PHONE}@s.whatsapp.net",
        "from": "15550100999" if mine else PHONE, "source": source, "timestamp": int(hours_ago(hours).timestamp()),
        "text": {"body": text}, **more,
    }  # fmt: skip


def post(world, channel, *messages: dict[str, Any], **more: Any) -> None:
    body = {"messages": list(messages), "event": {"type": "messages", "event": "post"}, "channel_id": "S", **more}
    world.receive(channel, json.dumps(body).encode())
    world.intake()


def made(world) -> list[dict[str, Any]]:
    """The conversions that rules made, with their deliveries."""
    return world.rows(
        "select c.*, d.state, d.reason, d.next_attempt_at from conversions c left join deliveries d"
        " on d.conversion_id = c.id where c.source = 'rule' order by c.occurred_at, c.id"
    )


def test_a_keyword_of_the_business_makes_a_qualified_lead_that_is_sent_with_its_click(world, channel):
    rule = add_rule(world, {"on": "outgoing", "keywords": "agendado", "by": "human"}, QUALIFIED)
    click(world, channel)
    post(world, channel, message("Está AGENDÁDO para amanhã!", number=1, mine=True))
    [one] = made(world)
    assert (one["event_name"], one["rule_id"], one["rule_version"], one["state"]) == (
        "QualifiedLead",
        rule,
        1,
        "pending",
    )
    [row] = world.rows("select * from messages where direction = 'out'")
    assert (one["message_id"], row["message_id"]) == (row["id"], "Qk3nT7xYb2ZLmA-rule000001")
    assert row["text"] is None
    world.send()
    assert "QualifiedLead" in [event["event_name"] for _, _, body in world.graph.posted for event in body["data"]]


def test_once_per_click_a_rule_makes_one_conversion_whatever_is_repeated(world, channel):
    add_rule(world, {"on": "inbound", "keywords": "quero"}, QUALIFIED)
    click(world, channel)
    said = message("Quero sim", number=1)
    post(world, channel, said)
    post(world, channel, said)
    post(world, channel, message("quero mais", number=2, hours=0.5))
    assert len(made(world)) == 1
    click(world, channel, hours=0.3)
    post(world, channel, message("quero de novo", number=3, hours=0.1))
    assert len(made(world)) == 2


def test_a_purchase_takes_its_value_from_the_message_and_its_currency_from_the_channel(world, channel):
    then = {"event": "Purchase", "value": {"pattern": r"total:? R\$ *([\d.,]+)"}, "delay": "2h"}
    add_rule(world, {"on": "outgoing", "keywords": "pedido confirmado"}, then)
    click(world, channel)
    post(world, channel, message("Pedido confirmado! Total: R$ 1.234,56", number=1, mine=True, source="api"))
    [one] = made(world)
    assert (one["value"], one["currency"], one["state"]) == (Decimal("1234.56"), "BRL", "pending")
    assert one["business_key"].startswith("msg:")
    assert one["due_after"] == timedelta(hours=2)
    assert one["next_attempt_at"] == one["occurred_at"] + timedelta(hours=2)
    post(world, channel, message("Pedido confirmado, total R$ 10", number=2, mine=True, source="api"))
    assert len(made(world)) == 2


def test_a_purchase_whose_value_is_not_found_waits_for_it(world, channel):
    then = {"event": "Purchase", "value": {"pattern": r"total ([\d.,]+)"}}
    add_rule(world, {"on": "outgoing", "keywords": "pago"}, then)
    click(world, channel)
    post(world, channel, message("Pago, obrigado", number=1, mine=True))
    assert [(one["value"], one["state"]) for one in made(world)] == [(None, "waiting")]


def test_an_order_message_is_one_order_however_often_it_comes(world, channel):
    add_rule(world, {"on": "order"}, {"event": "OrderCreated"})
    click(world, channel)
    order = {"order_id": "A-7", "currency": "BRL", "item_count": 1}
    post(world, channel, message("", number=1, type="order", order=order))
    post(world, channel, message("", number=2, type="order", order=order, hours=0.5))
    assert [(one["business_key"], one["order_id"]) for one in made(world)] == [("order:default:A-7", "A-7")]


def test_a_label_becomes_a_tag_and_a_tag_fires(world, channel):
    add_rule(world, {"on": "tag", "is": "Qualificado"}, QUALIFIED)
    click(world, channel)
    chat = {"id": f"{PHONE}@s.whatsapp.net", "labels": []}
    after = {**chat, "labels": [{"id": "7", "name": "QUALIFICADO"}]}
    update = {"before_update": chat, "after_update": after, "changes": ["labels"]}
    post(world, channel, chats_updates=[update], event={"type": "chats", "event": "patch"})
    post(world, channel, chats_updates=[update], event={"type": "chats", "event": "patch"})
    assert [one["event_name"] for one in made(world)] == ["QualifiedLead"]
    assert world.rows("select tags from contacts") == [{"tags": ["QUALIFICADO"]}]
    assert world.rows("select kind, source, actor from contact_changes") == [
        {"kind": "tag_added", "source": "message", "actor": "sales"}
    ]


def test_a_stage_that_is_reported_fires_for_the_rules_of_its_channel(world, channel):
    other = world.add_channel("other", dataset_id=None)
    add_rule(world, {"on": "stage", "is": "Won"}, QUALIFIED, channel_id=channel)
    add_rule(world, {"on": "stage", "is": "Won"}, {"event": "OrderCreated"}, name="elsewhere", channel_id=other)
    click(world, channel)

    def offer(conn, happened):
        return RuleRun(conn, world.runtime.rules.rules(conn), now=datetime.now(UTC)).offer(conn, happened)

    item = SubmittedStage(person=Person(phone=PHONE), stage="won", occurred_at=hours_ago(1))
    report(world, item, path="contacts/stage", offer=offer)
    assert [one["event_name"] for one in made(world)] == ["QualifiedLead"]


def test_the_third_message_is_counted_from_the_ad_on(world, channel):
    add_rule(world, {"on": "message_number", "number": 3}, QUALIFIED)
    post(world, channel, message("long ago", number=1, hours=9), message("and again", number=2, hours=8))
    click(world, channel, hours=5)
    post(world, channel, message("two", number=3, hours=4), message("mine", number=4, hours=3, mine=True))
    assert made(world) == []
    post(world, channel, message("three", number=5, hours=2), message("four", number=6, hours=1))
    [one] = made(world)
    [row] = world.rows("select message_id from messages where id = %s", one["message_id"])
    assert row["message_id"].endswith("000005")


def test_the_first_answer_of_a_person_is_written_down_once_and_fires_once(world, channel):
    add_rule(world, {"on": "first_reply"}, QUALIFIED)
    click(world, channel, hours=5)
    post(world, channel, message("Hi! I am a bot", number=1, mine=True, source="api", hours=4.5))
    assert world.rows("select first_reply_at from touchpoints") == [{"first_reply_at": None}]
    first = message("Hello, this is Ana", number=2, mine=True, hours=4)
    post(world, channel, first)
    post(world, channel, message("Still there?", number=3, mine=True, hours=3), first)
    [touch] = world.rows("select first_reply_at from touchpoints")
    assert touch["first_reply_at"] == datetime.fromtimestamp(first["timestamp"], UTC)
    assert len(made(world)) == 1
    assert [row["message_id"][-6:] for row in world.rows("select * from messages where direction = 'out'")] == [
        "000002"
    ]


def test_without_rules_only_the_time_of_the_first_answer_is_kept(world, channel):
    click(world, channel, hours=5)
    post(world, channel, message("x", number=1, mine=True, source="api"), message("y", number=2, mine=True))
    assert world.rows("select first_reply_at is null as open from touchpoints") == [{"open": False}]
    assert len(world.rows("select * from messages where direction = 'out'")) == 1
    assert made(world) == []


def test_what_is_sent_to_a_stranger_makes_no_contact_and_fires_nothing(world, channel):
    add_rule(world, {"on": "outgoing", "keywords": "hello"}, QUALIFIED)
    post(world, channel, message("hello", number=1, mine=True))
    assert world.rows("select * from contacts") == []
    assert made(world) == []


def test_an_automatic_event_of_meta_fires_with_its_message(world, channel):
    cloud = world.add_channel("cloud", dataset_id=None, provider="meta_cloud")
    add_rule(world, {"on": "automatic_event", "is": "LeadSubmitted"}, QUALIFIED)
    world.receive_sample(cloud, provider="meta_cloud", phone=PHONE, now=hours_ago(2))
    world.intake()
    [known] = world.rows("select * from messages")
    event = {"id": known["message_id"], "event_name": "LeadSubmitted", "timestamp": int(hours_ago(1).timestamp())}
    value = {"automatic_events": [event]}
    body = {
        "object": "whatsapp_business_account",
        "entry": [{"changes": [{"field": "automatic_events", "value": value}]}],
    }
    world.receive(cloud, json.dumps(body).encode())
    world.intake()
    assert [one["message_id"] for one in made(world)] == [known["id"]]


def test_a_rule_sees_nothing_that_came_before_it_was_switched_on(world, channel):
    rule = add_rule(world, {"on": "inbound", "keywords": "quero"}, QUALIFIED)
    click(world, channel)
    world.execute("update rules set enabled_at = now() + interval '1 hour' where id = %s", rule)
    post(world, channel, message("quero", number=1))
    world.execute("update rules set enabled_at = now() - interval '1 hour', enabled = false where id = %s", rule)
    post(world, channel, message("quero", number=2))
    assert made(world) == []


@pytest.mark.parametrize("why", ["defect", "too_slow", "currency_unknown"])
def test_a_rule_that_fails_is_counted_and_intake_goes_on(world, channel, monkeypatch, why):
    rule = add_rule(world, {"on": "inbound", "keywords": "quero"}, QUALIFIED)
    if why == "defect":
        monkeypatch.setattr(rules_module, "fires", lambda *_: 1 / 0)
    elif why == "too_slow":
        monkeypatch.setattr(rules_module, "SLOW_SECONDS", -1)
    else:
        world.execute("update channels set currency = null")
        world.execute(
            """update rules set definition = jsonb_set(definition, '{then,value}', '{"fixed": "5"}') where id = %s""",
            rule,
        )
    click(world, channel)
    post(world, channel, message("quero", number=1), message("quero", number=2))
    [row] = world.rows("select failures, failure, failed_at from rules")
    assert (row["failures"] > 0, row["failure"], row["failed_at"] is not None) == (True, why, True)
    assert len(world.rows("select * from messages where direction = 'in'")) == 3
    assert world.rows("select state from webhooks where state <> 'done'") == []


def test_a_rule_sets_a_stage_and_tags_and_says_so_in_their_history(world, channel):
    then = {"stage": "hot", "add_tags": ["keen", "vip"], "remove_tags": ["cold", "never there"]}
    rule = add_rule(world, {"on": "inbound", "keywords": "quero"}, then)
    click(world, channel)
    world.execute("update contacts set tags = '{cold,vip}'")
    world.execute(
        "insert into contact_changes (contact_id, kind, value, occurred_at, source)"
        " select id, 'tag_added', tag, now() - interval '1 day', 'api' from contacts, unnest(tags) tag"
    )
    post(world, channel, message("quero", number=1), message("quero mesmo", number=2, hours=0.5))
    assert world.rows("select stage, tags from contacts") == [{"stage": "hot", "tags": ["keen", "vip"]}]
    # What holds already is no change: neither vip, nor anything of the second message.
    assert world.rows(
        "select kind, value, actor from contact_changes where source = 'rule' and rule_id = %s order by id", rule
    ) == [
        {"kind": kind, "value": value, "actor": f"rule:{rule} version 1"}
        for kind, value in (("stage", "hot"), ("tag_added", "keen"), ("tag_removed", "cold"))
    ]
    assert made(world) == []
    assert world.rows("select failures from rules") == [{"failures": 0}]


def test_what_a_rule_makes_of_a_rules_change_fires_none_again(world, channel):
    add_rule(world, {"on": "inbound", "keywords": "quero"}, {"stage": "a"}, name="first")
    # These two would drive each other on for ever.
    add_rule(world, {"on": "stage", "is": "a"}, {**QUALIFIED, "stage": "b"}, name="a to b")
    add_rule(world, {"on": "stage", "is": "b"}, {"event": "OrderCreated", "stage": "a"}, name="b to a")
    click(world, channel)
    post(world, channel, message("quero", number=1))
    history = world.rows("select value, source from contact_changes order by id")
    assert history == [{"value": "a", "source": "rule"}, {"value": "b", "source": "rule"}]
    assert world.rows("select stage from contacts") == [{"stage": "b"}]
    assert [one["event_name"] for one in made(world)] == ["QualifiedLead"]


def test_the_text_is_kept_sealed_only_where_the_workspace_says_so(world, channel):
    post(world, channel, message("a secret", number=1))
    world.execute("update workspaces set keep_text = true")
    post(world, channel, message("another secret", number=2))
    first, second = world.rows("select text from messages order by id")
    assert first["text"] is None
    assert b"another" not in second["text"]
    assert world.runtime.secret_ring.open(second["text"]) == b"another secret"
