"""`ctwa deliveries resolve` and `retry`, as the console's role: each moves what it may, once, and is written down."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console.repairs import WHY_IT_STAYS
from shared.queue import Work
from tests.integration.console.commands import Cli
from tests.integration.workers.world import World

REJECTED = "state = 'rejected', reason = 'meta_100_2804087', finished_at = now(), next_attempt_at = null"
SKIPPED = "state = 'skipped', finished_at = now(), next_attempt_at = null, reason ="
UNKNOWN = "state = 'unknown', reason = 'no_answer', unknown_since = now(), next_attempt_at = null"


@pytest.fixture
def sales(world: World) -> int:
    return world.add_channel("sales", dataset_id=world.add_dataset())


def born(cli: Cli, world: World, channel: int, *columns: str) -> None:
    """A delivery for each of `columns`, which say in SQL what it is now; ids count from 1."""
    world.receive_ads(channel, len(columns))
    world.intake()
    for number, assignments in enumerate(columns, start=1):
        cli.execute(f"update deliveries set {assignments} where id = %s", number)


def audited(cli: Cli) -> list[dict[str, Any]]:
    lines = cli.rows("select actor, action, subject, detail from audit_log where action like 'deliveries.%%'")
    assert all(line["actor"].startswith("cli:") and line["subject"] == "deliveries" for line in lines)
    return [{"action": line["action"], **line["detail"]} for line in lines]


def snapshot(cli: Cli) -> list[dict[str, Any]]:
    return [cli.rows(f"select * from {table} order by id") for table in ("deliveries", "audit_log")]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("option", "state", "resolution"),
    [
        ("--accepted", "accepted", "accepted"),
        ("--not-taken", "pending", "not_taken"),
        ("--resend", "pending", "resend"),
    ],
)
def test_unknown_outcomes_are_settled_once_and_others_are_left_alone(
    cli: Cli, world: World, sales: int, valkey_url: str, option: str, state: str, resolution: str
) -> None:
    born(cli, world, sales, UNKNOWN, "state = state", UNKNOWN)
    world.runtime.bell.answer(Work.SENDING)
    rows = cli.json("deliveries", "resolve", "1", "2", "3", option, REDIS_URL=valkey_url)
    assert [(row["id"], row["was"], row["state"], row["resolved"]) for row in rows] == [
        (1, "unknown", state, True),
        (2, "pending", "pending", False),
        (3, "unknown", state, True),
    ]
    assert audited(cli) == [{"action": "deliveries.resolve", "ids": [1, 3], "resolution": resolution}]
    before = snapshot(cli)
    again = cli("deliveries", "resolve", "1", "3", option).output
    assert again.count("left alone") == 2
    assert snapshot(cli) == before


def test_resolving_says_what_is_missing_and_warns_of_a_value_sent_twice(cli: Cli, world: World, sales: int) -> None:
    born(cli, world, sales, UNKNOWN)
    cli.execute("update conversions set value = 10, currency = 'EUR'")
    assert "--not-taken" in cli("deliveries", "resolve", "1", code=2).stderr
    assert "no delivery 7, 9" in cli("deliveries", "resolve", "1", "9", "7", "--accepted", code=2).stderr
    assert cli.json("deliveries")[0]["state"] == "unknown"
    cli("deliveries", "resolve", "one", "--accepted", code=2)
    assert "counts it twice" in cli("deliveries", "resolve", "1", "--resend").output


#: What stands against a retry: what is done to the delivery, what else is done, and its code.
STAYING = {
    "accepted": ("state = 'accepted', accepted_at = now(), finished_at = now(), next_attempt_at = null", ""),
    "sending": (
        "state = 'sending', lease_token = gen_random_uuid(), lease_until = '2999-01-01', next_attempt_at = null",
        "",
    ),
    "unknown": (UNKNOWN, ""),
    "waiting": ("state = 'waiting', reason = 'waiting_for_value', next_attempt_at = null", ""),
    "due": ("state = state", ""),
    "dataset_paused": (
        "state = state",
        "update datasets set pause_reason = 'by_hand', paused_at = now(), paused_until = '9999-12-31'",
    ),
    "dry_run": ("dry_run_at = now(), next_attempt_at = '9999-12-31'", ""),
    "dataset_off": (f"{SKIPPED} 'disabled'", "update datasets set sending = 'off'"),
    "too_old": (f"{REJECTED}, event_time = now() - interval '6 days 12 hours 1 minute'", ""),
    "no_click_id": (f"{SKIPPED} 'no_click_id'", "update touchpoints set click_id = null"),
    "another_stands_for_it": (
        f"{SKIPPED} 'no_click_id', business_key = 'the same'",
        "update deliveries set business_key = 'the same' where id = 2",
    ),
    "cause_stands": (f"{SKIPPED} 'scope'", ""),
    "consent": (f"{SKIPPED} 'consent'", "update contacts set consent = false"),
    "value_missing": (f"{SKIPPED} 'consent', event_name = 'Purchase'", ""),
    "unattributed": (f"{SKIPPED} 'unattributed'", "update conversions set touchpoint_id = null"),
}


def test_every_reason_to_stay_is_tested_and_has_words() -> None:
    # What changes between two statements of one transaction can't be brought about here.
    assert set(STAYING) == set(WHY_IT_STAYS) - {"changed_meanwhile"}
    assert all(words.endswith(("resolve", ".")) for words in WHY_IT_STAYS.values())


@pytest.mark.parametrize("why", sorted(STAYING))
def test_a_delivery_that_may_not_go_again_stays_and_says_why(cli: Cli, world: World, sales: int, why: str) -> None:
    delivery, more = STAYING[why]
    born(cli, world, sales, delivery, "next_attempt_at = now() + interval '1 hour'")
    if more:
        cli.execute(more)
    before = snapshot(cli)
    result = cli.json("deliveries", "retry", "1", "--yes")
    [group] = result["groups"]
    assert (group["becomes"], group["why"], group["words"]) == ("stays", why, WHY_IT_STAYS[why])
    assert result["moved"] == 0
    assert snapshot(cli) == before


@pytest.mark.parametrize(
    ("delivery", "becomes"),
    [
        (REJECTED, "again"),
        (f"{SKIPPED} 'no_click_id'", "again"),
        (f"{SKIPPED} 'disabled'", "again"),
        ("next_attempt_at = now() + interval '1 hour'", "hurried"),
    ],
)
def test_a_delivery_that_may_go_again_does_once(
    cli: Cli, world: World, sales: int, delivery: str, becomes: str
) -> None:
    born(cli, world, sales, delivery)
    [group] = cli.json("deliveries", "retry", "1", "--yes")["groups"]
    assert (group["becomes"], group["count"]) == (becomes, 1)
    [row] = cli.rows("select state, reason, next_attempt_at <= now() as due from deliveries")
    assert (row["state"], row["reason"], row["due"]) == ("pending", None, True)
    [line] = audited(cli)
    assert line == {
        "action": "deliveries.retry",
        "again": [1] if becomes == "again" else [],
        "hurried": [1] if becomes == "hurried" else [],
    }
    before = snapshot(cli)
    assert cli.json("deliveries", "retry", "1", "--yes")["moved"] == 0
    assert snapshot(cli) == before
    world.send()
    assert world.states() == ["accepted"]


def test_a_retry_in_bulk_says_by_reason_what_moves_and_what_stays_and_a_dry_run_is_exact(
    cli: Cli, world: World, sales: int
) -> None:
    born(cli, world, sales, REJECTED, REJECTED, f"{REJECTED}, event_time = now() - interval '7 days'", UNKNOWN)
    before = snapshot(cli)
    planned = cli.json("deliveries", "retry", "--dataset", "main", "--dry-run")
    assert snapshot(cli) == before
    assert [(group["becomes"], group["why"], group["count"]) for group in planned["groups"]] == [
        ("again", None, 2),
        ("stays", "too_old", 1),
    ]
    assert "too old for Meta" in cli("deliveries", "retry", "--status", "rejected", "--dry-run").output
    assert "Nobody is here to ask" in cli("deliveries", "retry", "--status", "rejected", code=2).stderr
    assert snapshot(cli) == before
    done = cli.json("deliveries", "retry", "--dataset", "main", "--yes")
    assert done == {**planned, "dry_run": False}
    assert [row["state"] for row in cli.rows("select state from deliveries order by id")] == [
        "pending",
        "pending",
        "rejected",
        "unknown",
    ]


def test_a_retry_takes_the_filters_of_the_list(cli: Cli, world: World, sales: int) -> None:
    born(cli, world, sales, REJECTED, f"{SKIPPED} 'disabled'", "next_attempt_at = now() + interval '1 hour'")

    def moved(*args: str) -> int:
        count: int = cli.json("deliveries", "retry", *args, "--dry-run")["moved"]
        return count

    assert moved("--dataset", "main") == 3
    assert moved("--channel", "sales", "--status", "pending") == 1
    assert moved("--reason", "disabled") == 1
    assert moved("--since", "1h") == 3
    assert moved("--since", "2999-01-01") == 0
    assert moved("--since", "1h", "--limit", "2") == 2
    assert moved("1", "3") == 2
    assert moved("1", "3", "--status", "rejected") == 1
    assert "Say which" in cli("deliveries", "retry", "--yes", code=2).stderr
    assert "after retry" in cli("deliveries", "--dataset", "main", "retry", "1", "--yes", code=2).stderr
    assert "no delivery 77" in cli("deliveries", "retry", "1", "77", "--yes", code=2).stderr


def test_two_skipped_deliveries_of_one_fact_do_not_both_go(cli: Cli, world: World, sales: int) -> None:
    born(
        cli,
        world,
        sales,
        f"{SKIPPED} 'disabled', business_key = 'same'",
        f"{SKIPPED} 'disabled', business_key = 'same'",
    )
    groups = cli.json("deliveries", "retry", "--reason", "disabled", "--yes")["groups"]
    assert sorted((group["becomes"], group["why"]) for group in groups) == [
        ("again", None),
        ("stays", "another_stands_for_it"),
    ]


def test_a_person_is_asked_before_anything_moves(cli: Cli, world: World, sales: int) -> None:
    born(cli, world, sales, REJECTED)
    for answer, state in ((b"n\n", "rejected"), (b"y\n", "pending")):
        terminal, ours = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "console.cli.main", "deliveries", "retry", "1", "--json"],
            stdin=ours,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
            env={"PATH": os.environ["PATH"], **cli.environ},
        ) as process:
            os.write(terminal, answer)
            printed, asked = process.communicate(timeout=60)
        os.close(ours)
        os.close(terminal)
        assert b"Send these 1 deliveries again?" in asked
        assert [row["state"] for row in cli.json("deliveries")] == [state]
        if state == "pending":
            assert json.loads(printed)["moved"] == 1
