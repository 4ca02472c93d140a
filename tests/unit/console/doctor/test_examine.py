"""What the doctor says of a channel: one table of faults, each with the one finding it must give."""

from dataclasses import replace
from typing import Any

import pytest

from console.doctor.connection import proof_of, refusals, unknown_refusals
from console.doctor.examine import examine
from console.doctor.findings import ChannelFacts, Finding, Proof, Severity
from console.doctor.hints import HINTS
from shared.db.channels import Channel
from shared.db.datasets import Dataset
from shared.db.health import ChannelTraffic
from shared.providers import PROVIDERS

HOUR, DAY = 3600.0, 86_400.0
WELL: dict[str, Any] = {
    "seconds_ago": 60.0,
    "had_messages": True,
    "had_ads": True,
    "webhooks": 60,
    "read": 60,
    "with_messages": 50,
    "messages": 50,
    "ignored": {"statuses": 10},
    "classes": {"organic": 100, "ad": 40, "ad_without_click_id": 2},
}


def a_channel(**changes: Any) -> Channel:
    values: dict[str, Any] = {
        "id": 1, "key": "k" * 32, "name": "sales", "workspace": "default", "provider": "whapi", "secrets": b"",
        "unsigned": False, "dataset_id": 1, "currency": None, "country": None, "zone": "UTC", "post_policy": "ignore",
        "margin_percent": None,
        "enabled": True, "is_test": False,
    }  # fmt: skip
    return Channel(**values | changes)


def a_dataset(**changes: Any) -> Dataset:
    values: dict[str, Any] = {
        "id": 1, "name": "main", "meta_id": "1", "kind": "whatsapp", "profile": "whatsapp", "waba_id": "2",
        "page_id": None, "credential_id": 1, "sending": "on", "batch_max": 50, "in_flight_max": 2, "unknown_policy": {},
        "automatic_policy": "show",
        "test_event_code": None, "test_event_until": None, "test_mode": False, "is_test": False, "pause_reason": None,
        "pause_detail": None, "paused_at": None, "paused_until": None, "failures": 0, "pauses": 0, "probed_at": None,
        "probe_result": "ok", "region_policy": "send", "restricted_countries": None, "send_phone": False,
        "attribution_days": 28,
        "consent_policy": "not_required", "allow_zero_value": False,
        "send_email": False, "limited_data_use": None,
    }  # fmt: skip
    return Dataset(**values | changes)


def facts(
    *, provider: str = "whapi", proof: Proof = Proof.SET, dataset: Dataset | None = None, **traffic: Any
) -> ChannelFacts:
    return ChannelFacts(
        channel=a_channel(provider=provider),
        proof=proof,
        traffic=ChannelTraffic(channel_id=1, **WELL | traffic),
        dataset=dataset or a_dataset(),
        url="https://hooks.example.com/webhooks/k",
    )


def told(found: ChannelFacts) -> list[Finding]:
    """The findings that need attention."""
    return [finding for finding in examine(found) if finding.severity is not Severity.OK]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_that_is_set_up_well_has_nothing_to_say(provider: str) -> None:
    classes = {"organic": 100, "ad": 40} if PROVIDERS[provider].click_id_paths else {"organic": 100, "post": 1}
    assert told(facts(provider=provider, classes=classes)) == []
    assert {finding.check for finding in examine(facts(provider=provider))} >= {"secret", "arrivals", "ads", "dataset"}


def test_every_provider_has_its_hints() -> None:
    assert set(HINTS) == set(PROVIDERS)
    assert all(hints.where and hints.subscribe and hints.twice for hints in HINTS.values())


NOTHING = {
    "seconds_ago": None,
    "had_messages": False,
    "had_ads": False,
    "webhooks": 0,
    "read": 0,
    "messages": 0,
    "classes": {},
}
NO_ADS = {"had_ads": False, "classes": {"organic": 30}}


@pytest.mark.parametrize(
    ("changes", "check", "severity", "words"),
    [
        ({"proof": Proof.MISSING}, "secret", "fail", "every webhook is refused"),
        ({"proof": Proof.UNREADABLE}, "secret", "fail", "sealed with a key"),
        ({"proof": Proof.UNSIGNED}, "secret", "warn", "whoever learns the URL"),
        (NOTHING, "arrivals", "warn", "No webhook has come yet"),
        ({"seconds_ago": 25 * HOUR, "webhooks": 0}, "arrivals", "warn", "25 h old"),
        ({"seconds_ago": None, "webhooks": 0}, "arrivals", "warn", "None is kept any more"),
        (
            {**NOTHING, "seconds_ago": 9.0, "webhooks": 5, "read": 5, "ignored": {"statuses": 5}},
            "subscription",
            "fail",
            "5 × statuses: Delivery receipts",
        ),
        ({"messages": 0, "ignored": {"statuses": 60}}, "subscription", "warn", "held no message from a person"),
        ({"rejected": {"not_json": 3, "too_deep": 1}}, "rejected", "warn", "4 webhooks of the last 7 days"),
        ({"provider": "evolution", "messages": 100, "duplicates": 50}, "twice", "warn", "each comes twice"),
        (NO_ADS, "ads", "warn", "30 inbound messages in 7 days and never an ad block"),
        ({"classes": {"organic": 31}}, "ads", "warn", "there were some before"),
        ({"classes": {"ad": 7, "ad_without_click_id": 3}}, "click_ids", "warn", "3 of 10 ad messages of 7 days (30%)"),
        (
            {"provider": "wati", "classes": {"ad_without_click_id": 1}},
            "click_ids",
            "warn",
            "Wati carries no click id",
        ),
        ({"flags": {"placeholder_click_id": 5}}, "damaged_click_ids", "warn", "5 placeholder_click_id"),
        ({"provider": "waha", "ignored": {"placeholder": 5}}, "undecrypted", "warn", "5 placeholders"),
        ({"blank": 15}, "undecrypted", "warn", "15 messages of 7 days have no content"),
        ({"dataset": a_dataset(credential_id=None)}, "dataset", "fail", "no Meta token"),
        ({"dataset": a_dataset(waba_id=None)}, "dataset", "fail", "can't send"),
        ({"dataset": a_dataset(sending="off")}, "dataset", "warn", "Sending is off"),
        ({"dataset": a_dataset(pause_reason="by_hand")}, "dataset", "fail", "is paused"),
        ({"dataset": a_dataset(probe_result="meta_190")}, "dataset", "fail", "The last probe of dataset main failed"),
    ],
)
def test_a_fault_gives_one_finding_with_what_to_do(
    changes: dict[str, Any], check: str, severity: str, words: str
) -> None:
    [finding] = told(facts(**changes))
    assert (finding.check, finding.severity.value) == (check, severity)
    assert words in finding.words
    assert finding.next_step


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds_ago": 23 * HOUR, "webhooks": 1},
        {"classes": {"organic": 29}, "had_ads": False},
        {"classes": {"organic": 400, "post": 1}},
        {"classes": {"ad": 2, "ad_without_click_id": 2}},
        {"webhooks": 4, "read": 4, "messages": 0},
        # Intake has not read them yet.
        {"webhooks": 60, "read": 0, "messages": 0},
        {"messages": 100, "duplicates": 30},
        {"messages": 9, "duplicates": 4, "provider": "evolution"},
        # Everything known already is a replay, not a second subscription.
        {"messages": 50, "duplicates": 50, "provider": "evolution"},
        {"flags": {"forged_click_id": 30}},
        {"blank": 4},
        {"ignored": {"placeholder": 4}},
    ],
)
def test_what_is_usual_or_too_little_to_judge_is_no_fault(changes: dict[str, Any]) -> None:
    assert told(facts(**changes)) == []


def test_a_channel_without_a_dataset_reports_nothing_and_says_so() -> None:
    [finding] = told(replace(facts(), dataset=None))
    assert (finding.check, finding.severity) == ("dataset", Severity.FAIL)
    assert "ctwa channels set sales --dataset" in str(finding.next_step)


def test_providers_that_bring_every_message_twice_by_design_are_not_blamed() -> None:
    by_check = {finding.check: finding for finding in examine(facts(messages=100, duplicates=50))}
    assert by_check["twice"].severity is Severity.OK


@pytest.mark.parametrize(
    ("provider", "hint"),
    [("evolution", "WEBHOOK_GLOBAL_URL"), ("waha", "message.any"), ("wuzapi", "WUZAPI_GLOBAL_WEBHOOK")],
)
def test_doubled_webhooks_are_explained_in_the_providers_own_words(provider: str, hint: str) -> None:
    [finding] = told(facts(provider=provider, messages=100, duplicates=48))
    assert hint in str(finding.next_step)


def test_whapi_is_asked_for_ads_that_it_could_not_decrypt() -> None:
    for changes in (NO_ADS, {"blank": 20}):
        [finding] = told(facts(**changes))
        assert "send_undecrypted_ad" in str(finding.next_step)


def test_webhooks_of_something_else_point_at_the_provider_of_the_channel() -> None:
    [finding] = told(facts(**{**NOTHING, "seconds_ago": 9.0, "webhooks": 8, "read": 8, "ignored": {"unparsed": 8}}))
    assert "Is this channel's provider right" in str(finding.next_step)


def test_a_channel_that_is_switched_off_is_only_said_to_be() -> None:
    off = replace(facts(proof=Proof.MISSING), channel=a_channel(enabled=False))
    assert [(finding.check, finding.severity) for finding in examine(off)] == [("enabled", Severity.OK)]


@pytest.mark.parametrize("name", PROVIDERS)
def test_secrets_are_proven_by_signing_with_them(name: str) -> None:
    provider = PROVIDERS[name]
    good = {field.name: field.default or f"{name}-{field.name}-secret" for field in provider.secret_fields}
    assert proof_of(provider, False, [good]) is Proof.SET
    assert proof_of(provider, False, [good, good]) is Proof.ROTATING
    assert proof_of(provider, True, [good]) is Proof.UNSIGNED
    for nothing in ([], [{}], [{field.name: " " for field in provider.secret_fields}]):
        assert proof_of(provider, False, nothing) is Proof.MISSING


@pytest.mark.parametrize(
    ("acknowledged", "refused", "severity"),
    [
        (0, {}, "ok"),
        (1000, {"not_authentic": 4, "unknown_channel": 900}, "ok"),
        (1000, {"not_authentic": 9}, "ok"),
        (400, {"not_authentic": 5}, "warn"),
        (0, {"not_authentic": 5}, "warn"),
    ],
)
def test_a_share_of_unproven_requests_is_a_fault_when_it_is_no_accident(
    acknowledged: int, refused: dict[str, float], severity: str
) -> None:
    assert refusals(acknowledged, refused).severity.value == severity


def test_without_metrics_nothing_is_claimed_about_refused_requests() -> None:
    finding = unknown_refusals("nobody answers.")
    assert finding.severity is Severity.OK
    assert "not known" in finding.words
