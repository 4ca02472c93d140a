import json
from datetime import UTC, datetime
from typing import Any

from shared.domain.alert_messages import Told, as_event, as_slack, as_text, headline

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def told(**changes: Any) -> Told:
    values: dict[str, Any] = {
        "what": "opened", "id": 7, "workspace": "default", "kind": "unknown", "subject": "dataset:acme",
        "state": "open", "detail": {"count": 2, "age": "3 h"}, "opened_at": AT, "resolved_at": None,
    }  # fmt: skip
    return Told(**{**values, **changes})


OVER = {"what": "resolved", "state": "resolved", "resolved_at": AT.replace(hour=13)}


def test_one_alert_is_told_in_one_line_and_in_full() -> None:
    assert headline([told()]) == "New: Outcomes unknown (acme)"
    text = as_text([told()])
    assert "2 deliveries to dataset acme have an unknown outcome, the oldest for 3 h." in text
    assert "What to do: Compare with Events Manager" in text
    assert "Open since 2026-11-24T12:00:00Z (alert 7)" in text


def test_what_is_over_says_since_when_and_asks_for_nothing() -> None:
    text = as_text([told(**OVER)])
    assert "Over since 2026-11-24T13:00:00Z" in text
    assert "What to do" not in text


def test_many_are_counted_in_the_headline_and_told_one_by_one() -> None:
    many = [told(), told(id=8), told(id=9, **OVER), told(id=10, what="reminded")]
    assert headline(many) == "Alerts: 2 new, 1 still open, 1 over"
    assert all(f"(alert {number})" in as_text(many) for number in (7, 8, 9, 10))


def test_slack_gets_no_markup_of_anybody_elses() -> None:
    body = json.loads(as_slack([told(subject="dataset:<!channel> & co")]))
    assert "&lt;!channel&gt; &amp; co" in body["text"]
    assert "<!channel>" not in body["text"]


def test_a_webhook_gets_every_alert_with_its_words() -> None:
    event = json.loads(as_event([told(), told(id=9, **OVER)], AT))
    assert (event["type"], event["timestamp"]) == ("alerts.changed", "2026-11-24T12:00:00Z")
    first, second = event["data"]["alerts"]
    assert (first["happened"], first["id"], first["detail"]["count"]) == ("opened", 7, 2)
    assert (second["happened"], second["resolved_at"]) == ("resolved", "2026-11-24T13:00:00Z")
    assert first["words"].startswith("2 deliveries")


def test_a_message_about_nothing_says_that_it_is_a_test() -> None:
    assert headline([]).startswith("Test")
    assert "test" in as_text([])
    assert json.loads(as_event([], AT)) == {
        "type": "alerts.test",
        "timestamp": "2026-11-24T12:00:00Z",
        "data": {"alerts": []},
    }
