"""`ctwa rules`: adding, changing, trying and removing rules, and their place in a delivery's trace."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.console.commands import Cli
from tests.integration.workers.reports import PHONE, hours_ago
from tests.integration.workers.world import World
from workers.rule_book import RuleBook

SALE = (
    "rules", "add", "sale", "--on", "outgoing", "--keyword", "pedido confirmado", "--event", "Purchase",
    "--value-pattern", r"total:? R\$ *([0-9.,]+)",
)  # fmt: skip
LEAD = (
    "rules",
    "add",
    "lead",
    "--on",
    "outgoing",
    "--keyword",
    "agendado",
    "--by",
    "human",
    "--event",
    "QualifiedLead",
)


@pytest.fixture
def sales(world: World) -> int:
    object.__setattr__(world.runtime, "rules", RuleBook(seconds=0))
    return world.add_channel("sales", dataset_id=world.add_dataset(), currency="BRL")


def say(world: World, channel: int, text: str, *, number: int, mine: bool = True) -> None:
    message = {
        "id": f"Qk3nT7xYb2ZLmA-try{number:07d}", "from_me": mine, "type": "text", "source": "mobile",
        "chat_id": f"{PHONE}@s.whatsapp.net", "from": "15550100999" if mine else PHONE,
        "timestamp": int(hours_ago(1).timestamp()), "text": {"body": text},
    }  # fmt: skip
    event = {"type": "messages", "event": "post"}
    world.receive(channel, json.dumps({"messages": [message], "event": event, "channel_id": "S"}).encode())
    world.intake()


def audit(cli: Cli) -> list[dict[str, Any]]:
    return cli.rows("select action, subject from audit_log where starts_with(subject, 'rule:') order by id")


def test_a_rule_is_added_switched_off_changed_in_versions_and_removed(cli: Cli, sales: int) -> None:
    said = cli(*LEAD).output
    assert "It is switched off. Try it: ctwa rules try lead" in said
    [row] = cli.json("rules", "list")
    assert (row["enabled"], row["version"], row["fired"], row["channel"]) == (False, 1, 0, None)
    assert row["when"] == {"on": "outgoing", "keywords": ["agendado"], "by": "human"}
    assert row["then"] == {"event": "QualifiedLead", "once": "click"}
    changed = cli("rules", "set", "lead", "--keyword", "marcado", "--channel", "sales").output
    assert "lead: when" in changed
    assert "Nothing to change" in cli("rules", "set", "lead", "--keyword", "marcado").output
    cli("rules", "enable", "lead")
    row = cli.json("rules", "show", "lead")
    assert (row["enabled"], row["version"], row["channel"]) == (True, 2, "sales")
    history = cli.json("rules", "versions", "lead")
    assert [(one["version"], one["when"]["keywords"]) for one in history] == [(2, ["marcado"]), (1, ["agendado"])]
    assert "switched off" in cli("rules", "disable", "lead").output
    cli("rules", "remove", "lead", "--yes")
    assert cli.json("rules", "list") == []
    cli(*LEAD)
    assert [row["action"] for row in audit(cli)] == [
        "rule.add", "rule.change", "rule.change", "rule.change", "rule.remove", "rule.add",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--on", "inbound", "--keyword", "paid", "--event", "Purchase"), "then.confirm_purchase"),
        (("--on", "inbound", "--pattern", "(a", "--event", "Lead"), "a bracket ( is never closed"),
        (("--on", "stage", "--event", "Lead"), "when.is: stage needs it"),
        (("--event", "Lead"), "Say --on, and what follows"),
        (("--on", "order", "--event", "Lead", "--channel", "nope"), "There is no such channel"),
        (("--on", "order", "--event", "Lead", "--workspace", "nope"), "There is no workspace"),
    ],
)
def test_what_cannot_be_a_rule_is_refused_in_words(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    assert words in cli("rules", "add", "odd", *arguments, code=2).output


def test_a_sale_on_words_alone_is_taken_when_confirmed_and_warned_of(cli: Cli) -> None:
    result = cli(
        "rules", "add", "odd", "--on", "inbound", "--keyword", "paid", "--event", "Purchase", "--confirm-purchase"
    )
    assert "Warning: This rule reports sales without an order" in result.output


def test_trying_shows_what_would_have_been_and_writes_nothing(
    cli: Cli, world: World, sales: int, tmp_path: Path
) -> None:
    world.receive_sample(sales, phone=PHONE, now=hours_ago(3))
    world.intake()
    say(world, sales, "Pedido confirmado 5531998877665! Total: R$ 1.234,56", number=1)
    say(world, sales, "Pedido confirmado! Total: R$ 10,00", number=2)
    say(world, sales, "pedido confirmado?", number=3, mine=False)
    cli(*SALE)
    before = cli.rows("select count(*) from conversions")
    found = cli.json("rules", "try", "sale", "--since", "1d")
    assert (found["webhooks"], found["unreadable"]) == (4, 0)
    [rule] = found["rules"]
    assert (rule["fired"], rule["new_conversions"], rule["values"]) == (2, 2, {"BRL": "1244.56"})
    assert rule["samples"][0]["text"] == "Pedido confirmado ••• Total: R$ 1.234,56"
    assert rule["samples"][0]["person"] == "+1555•••0001"
    assert PHONE not in json.dumps(found)
    assert cli.rows("select count(*) from conversions") == before
    file = tmp_path / "seen.yaml"
    file.write_text("when: {on: inbound, keywords: [pedido confirmado]}\nthen: {event: Lead}\n", encoding="utf-8")
    [one] = cli.json("rules", "try", str(file))["rules"]
    # The automatic Lead of the click is this one already.
    assert (one["fired"], one["new_conversions"]) == (1, 0)
    assert "fired 2 times, 2 new conversions" in cli("rules", "try", "sale").output


def test_trying_follows_what_rules_make_of_a_stage_once(cli: Cli, world: World, sales: int) -> None:
    world.receive_sample(sales, phone=PHONE, now=hours_ago(3))
    world.intake()
    say(world, sales, "quero", number=1, mine=False)
    say(world, sales, "quero mesmo", number=2, mine=False)
    cli("rules", "add", "a", "--on", "inbound", "--keyword", "quero", "--stage", "hot", "--add-tag", "keen")
    cli("rules", "add", "b", "--on", "stage", "--is", "hot", "--event", "QualifiedLead", "--stage", "qualified")
    cli("rules", "add", "c", "--on", "stage", "--is", "qualified", "--event", "OrderCreated")
    tried = {rule["name"]: rule for rule in cli.json("rules", "try", "--since", "1d")["rules"]}
    assert [tried[name]["fired"] for name in "abc"] == [2, 1, 0]
    assert tried["a"]["marks"] == {"stage: hot": 1, "tag_added: keen": 1}
    assert (tried["b"]["new_conversions"], tried["b"]["marks"]) == (1, {"stage: qualified": 1})
    assert "  stage: hot: 1 contacts" in cli("rules", "try", "a").output
    assert cli.rows("select count(*) from contact_changes") == [{"count": 0}]
    assert "stage hot, +keen" in cli("rules", "list").output


def test_a_delivery_names_the_rule_its_version_and_the_message_that_fired_it(
    cli: Cli, world: World, sales: int
) -> None:
    cli(*SALE, "--enable")
    cli.execute("update rules set enabled_at = now() - interval '1 day'")
    world.receive_sample(sales, phone=PHONE, now=hours_ago(3))
    world.intake()
    say(world, sales, "Pedido confirmado! Total: R$ 1.234,56", number=1)
    [delivery] = cli.rows("select id from deliveries where event_name = 'Purchase'")
    conversion = cli.json("delivery", str(delivery["id"]))["conversion"]
    assert (conversion["rule"], conversion["rule_version"], conversion["value"]) == ("sale", 1, "1234.56")
    assert conversion["rule_message"] == "Qk3nT7xYb2ZLmA-try0000001"
    lines = cli("delivery", str(delivery["id"])).output
    assert "rule sale, version 1, fired by message Qk3nT7xYb2ZLmA-try0000001" in lines
    assert cli.json("rules", "show", "sale")["fired"] == 1


def test_rules_stand_in_a_declarative_file(cli: Cli, sales: int, tmp_path: Path) -> None:
    file = tmp_path / "ctwa.yaml"
    file.write_text(
        "rules:\n  won:\n    when: {on: stage, is: won}\n    then: {event: QualifiedLead}\n    enabled: true\n",
        encoding="utf-8",
    )
    [change] = cli.json("apply", str(file), "--yes")["changes"]
    assert (change["kind"], change["name"], change["action"]) == ("rule", "won", "add")
    assert cli.json("apply", str(file), "--yes")["changes"] == []
    file.write_text("rules:\n  won:\n    when: {on: stage}\n    then: {event: QualifiedLead}\n", encoding="utf-8")
    assert "rules.won.when.is: stage needs it" in cli("apply", str(file), code=2).output
    file.write_text("rules: {}\n", encoding="utf-8")
    assert cli.json("apply", str(file), "--prune", "--yes")["changes"][0]["action"] == "disable"
