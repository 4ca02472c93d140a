from datetime import UTC, datetime
from typing import Any

import pytest

from console.status import look_at_spool, problems

SOON = datetime(2026, 11, 22, 18, tzinfo=UTC)


def report(**changes: Any) -> dict[str, Any]:
    fine: dict[str, Any] = {
        "sending": "on",
        "redis": "ok",
        "processes": [{"process": "sweeper", "seconds_ago": 1.0}],
        "backlog": {
            "webhooks": {"waiting": 3, "oldest_seconds": 2.0},
            "deliveries": {"waiting": 0, "oldest_seconds": 0.0},
        },
        "deliveries": {"accepted": 5, "rejected": 1},
        "unknown": {"count": 0, "oldest_seconds": 0.0},
        "expiring": [],
        "failed_probes": [],
        "test_modes": [],
        "alerts": [],
        "paused_datasets": [],
        "unready_datasets": [],
        "unsigned_channels": ["lab"],
        "rejected_webhooks": 0,
        "spool": {"bytes": 0, "set_aside": 0},
        "graph": {"version": "v25.0", "state": "ok", "text": "fine"},
    }
    return {**fine, **changes}


def alert(kind: str, **changes: Any) -> dict[str, Any]:
    return {"id": 3, "kind": kind, "state": "open", "words": "6 % of the events.", "next_step": "Look.", **changes}


def test_alerts_that_are_seen_otherwise_or_looked_after_are_no_problems_of_their_own() -> None:
    assert problems(report(alerts=[alert("dataset_paused"), alert("failed", state="acknowledged")])) == []


def test_nothing_is_a_problem_when_all_is_well() -> None:
    assert problems(report()) == []
    assert problems(report(redis="not set")) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sending": "dry-run"}, "Sending is dry-run"),
        ({"redis": "away"}, "Redis"),
        ({"processes": []}, "No sweeper has ever run"),
        ({"processes": [{"process": "sending", "seconds_ago": 1.0}]}, "No sweeper has ever run"),
        ({"processes": [{"process": "sweeper", "seconds_ago": 300.0}]}, "300 s ago"),
        (
            {
                "backlog": {
                    "webhooks": {"waiting": 7, "oldest_seconds": 90.0},
                    "deliveries": {"waiting": 0, "oldest_seconds": 0.0},
                }
            },
            "7 webhooks wait",
        ),
        (
            {
                "backlog": {
                    "webhooks": {"waiting": 0, "oldest_seconds": 0.0},
                    "deliveries": {"waiting": 8, "oldest_seconds": 600.0},
                }
            },
            "8 deliveries wait",
        ),
        ({"unknown": {"count": 2, "oldest_seconds": 5400.0}}, "unknown outcome, the oldest for 1.5 h"),
        (
            {"expiring": [{"dataset": "acme", "count": 3, "soonest": SOON}]},
            "held for acme expire from 2026-11-22 18:00",
        ),
        (
            {"failed_probes": [{"name": "acme", "words": "Bad token.", "next_step": "New one."}]},
            "probe of dataset acme",
        ),
        ({"alerts": [alert("failed")]}, "6 % of the events"),
        ({"test_modes": [{"name": "acme", "words": "TEST MODE.", "next_step": "End it.", "until": SOON}]}, "TEST MODE"),
        ({"paused_datasets": [{"name": "acme", "words": "Bad token.", "next_step": "New one."}]}, "acme is paused"),
        ({"unready_datasets": [{"name": "acme", "words": "no token", "next_step": "Add."}]}, "acme can't send"),
        ({"rejected_webhooks": 4}, "4 webhooks"),
        ({"spool": {"bytes": 10, "set_aside": 0}}, "10 bytes"),
        ({"spool": {"bytes": 0, "set_aside": 1}}, "set aside"),
        ({"graph": {"version": "v19.0", "state": "expired", "text": "v19.0 ended."}}, "v19.0 ended."),
    ],
)
def test_each_thing_that_needs_attention_is_named_with_what_to_do(changes: dict[str, Any], words: str) -> None:
    [problem] = problems(report(**changes))
    assert words in problem["what"]
    assert problem["next_step"]


def test_the_spool_counts_what_waits_and_what_was_set_aside(tmp_path: Any) -> None:
    assert look_at_spool(tmp_path / "none") == {"bytes": 0, "set_aside": 0}
    for name, size in {"a.spool": 3, "b.spool": 4, "c.damaged": 5, "d.refused": 6, "e.new": 7}.items():
        (tmp_path / name).write_bytes(b"x" * size)
    assert look_at_spool(tmp_path) == {"bytes": 7, "set_aside": 2}
