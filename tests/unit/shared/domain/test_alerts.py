from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.alert_facts import (
    AccountFacts,
    ChannelFacts,
    CodeFacts,
    CredentialFacts,
    CurrencyFacts,
    DatasetFacts,
    Facts,
    SpoolFacts,
)
from shared.domain.alerts import KINDS, Setting, effective, find_all, in_words, next_step

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def dataset(**changes: Any) -> Facts:
    return Facts(now=NOW, datasets=[DatasetFacts(name="acme", workspace="default", **changes)])


def channel(**changes: Any) -> Facts:
    return Facts(now=NOW, channels=[ChannelFacts(name="sales", workspace="default", **changes)])


def credential(**changes: Any) -> Facts:
    return Facts(now=NOW, credentials=[CredentialFacts(name="main", workspace="default", **changes)])


def code(number: int, subcode: int | None = None) -> Facts:
    one = CodeFacts(dataset="acme", workspace=None, code=number, subcode=subcode, count=3, last_at=ago(hours=1))
    return Facts(now=NOW, codes=[one])


def spool(**changes: Any) -> Facts:
    return Facts(now=NOW, spools=[SpoolFacts(host="h1", **{"bytes": 0, "set_aside": 0, "since": None, **changes})])


def account(**changes: Any) -> Facts:
    return Facts(now=NOW, accounts=[AccountFacts(name="brl", workspace="default", **changes)])


def clicks(*, yesterday: tuple[int, int], today: tuple[int, int]) -> Facts:
    """Ad messages of both days, and how many of them had a click id."""
    return channel(
        yesterday=yesterday[0], yesterday_with_click_id=yesterday[1], today=today[0], today_with_click_id=today[1]
    )


#: Kind, facts that just make it one, facts that just don't.
CASES: list[tuple[str, Facts, Facts]] = [
    ("failed", dataset(accepted=94, rejected=6), dataset(accepted=95, rejected=5)),
    ("failed", dataset(rejected=1), dataset(accepted=100)),
    ("unknown", dataset(unknown=1, unknown_since=ago(minutes=2)), dataset(unknown=0)),
    ("dataset_paused", dataset(pause_reason="by_hand"), dataset(pause_reason="token")),
    ("dataset_paused", dataset(pause_reason="link", pause_detail="waba_id_missing"), dataset()),
    ("dataset_paused", dataset(pause_reason="permission"), dataset(pause_reason="throttle")),
    ("dataset_paused", dataset(pause_reason="meta_down", pauses=3), dataset(pause_reason="meta_down", pauses=2)),
    ("probe_failed", dataset(probe_result="meta_100_33"), dataset(probe_result="ok")),
    ("probe_failed", dataset(probe_result="meta_200"), dataset(probe_result="meta_200", pause_reason="permission")),
    ("probe_failed", dataset(probe_result="waba_id_missing"), dataset(probe_result="server_error_unclear")),
    ("probe_failed", dataset(probe_result="token_malformed"), dataset(probe_result="meta_4")),
    ("token_invalid", credential(inspection="invalid"), credential(inspection="ok")),
    ("token_invalid", credential(paused=1), credential(inspection="meta_100")),
    ("token_expiring", credential(expires_at=ago(days=-6.9)), credential(expires_at=ago(days=-7.1))),
    ("token_expiring", credential(data_access_expires_at=ago(days=1)), credential()),
    ("queue_age", Facts(now=NOW, queue_seconds={"webhooks": 301}), Facts(now=NOW, queue_seconds={"webhooks": 300})),
    (
        "expiring",
        dataset(aging=2, oldest_event=ago(days=5, hours=12, minutes=1)),
        dataset(aging=2, oldest_event=ago(days=5, hours=11)),
    ),
    (
        "no_ad_conversations",
        channel(last_ad_at=ago(hours=25), week=7),
        channel(last_ad_at=ago(hours=23), week=7),
    ),
    ("no_ad_conversations", channel(last_ad_at=ago(days=20), week=50), channel(last_ad_at=ago(days=20), week=6)),
    ("click_id_fall", clicks(yesterday=(20, 20), today=(20, 14)), clicks(yesterday=(20, 20), today=(20, 15))),
    ("click_id_fall", clicks(yesterday=(10, 10), today=(10, 0)), clicks(yesterday=(9, 9), today=(10, 0))),
    ("click_id_fall", clicks(yesterday=(50, 25), today=(10, 3)), clicks(yesterday=(50, 25), today=(9, 0))),
    (
        "spend_without_conversations",
        account(spends=True, last_ad_at=ago(hours=12.1)),
        account(spends=True, last_ad_at=ago(hours=11.9)),
    ),
    ("spend_without_conversations", account(spends=True), account(last_ad_at=ago(hours=99))),
    ("capture_rate", account(started=10, captured=6), account(started=10, captured=7)),
    ("capture_rate", account(started=10), account(started=9)),
    ("spend_sync", account(synced_at=ago(hours=26.1)), account(synced_at=ago(hours=25.9))),
    ("spool", spool(bytes=1, since=ago(minutes=3)), spool(bytes=1, since=ago(minutes=1))),
    ("spool", spool(set_aside=1), spool()),
    ("webhooks_unreadable", channel(unreadable=10, last_unreadable_at=ago(minutes=1)), channel(unreadable=9)),
    ("unknown_code", code(123456), code(190, 463)),
    ("unknown_code", code(100, 2804999), code(100, 2804087)),
    ("test_mode", dataset(test_until=ago(minutes=-1)), dataset(test_until=ago(minutes=1))),
    (
        "currency_mismatch",
        Facts(
            now=NOW,
            currencies=[
                CurrencyFacts(
                    channel="sales", workspace="default", expected="BRL", found="USD", count=2, last_at=ago(hours=1)
                )
            ],
        ),
        Facts(now=NOW),
    ),
]


@pytest.mark.parametrize(
    ("kind", "alarming", "quiet"), CASES, ids=[f"{kind}-{n}" for n, (kind, _, _) in enumerate(CASES)]
)
def test_each_kind_is_found_from_its_line_on_and_not_before(kind: str, alarming: Facts, quiet: Facts) -> None:
    assert [name for name, _ in find_all(alarming, {})] == [kind]
    assert [name for name, _ in find_all(quiet, {}) if name == kind] == []


def test_every_kind_has_a_case_and_its_words_are_whole_sentences() -> None:
    assert {kind for kind, _, _ in CASES} == set(KINDS)
    for kind, alarming, _ in CASES:
        [(_, finding)] = find_all(alarming, {})
        words = in_words(kind, finding.subject, finding.detail)
        assert words.endswith("."), words
        assert "?" not in words, words
        assert "{" not in words, words
        assert next_step(kind, finding.detail)


def test_a_pause_tells_its_own_next_step() -> None:
    [(kind, finding)] = find_all(dataset(pause_reason="link", pause_detail="waba_id_missing"), {})
    assert "WhatsApp Manager" in next_step(kind, finding.detail)


def test_an_alert_of_another_version_is_told_as_it_is() -> None:
    assert in_words("of_tomorrow", "dataset:acme", {}) == "of_tomorrow (dataset:acme)."
    assert next_step("of_tomorrow", {})
    assert "?" in in_words("failed", "dataset:acme", {})


def test_a_kind_that_is_off_finds_nothing_and_a_threshold_moves_its_line() -> None:
    facts = dataset(accepted=90, rejected=10)
    assert find_all(facts, {(None, "failed"): Setting(enabled=False)}) == []
    assert find_all(facts, {(None, "failed"): Setting(True, Decimal(10))}) == []
    assert find_all(facts, {(None, "failed"): Setting(True, Decimal("9.9"))})


def test_a_workspaces_own_setting_counts_before_that_for_all() -> None:
    both = Facts(
        now=NOW,
        datasets=[
            DatasetFacts(name="a", workspace="loud", rejected=1),
            DatasetFacts(name="b", workspace="calm", rejected=1),
            DatasetFacts(name="c", workspace=None, rejected=1),
        ],
    )
    settings = {(None, "failed"): Setting(enabled=False), ("loud", "failed"): Setting(enabled=True)}
    assert [finding.workspace for _, finding in find_all(both, settings)] == ["loud"]
    settings = {("calm", "failed"): Setting(enabled=False)}
    assert {finding.workspace for _, finding in find_all(both, settings)} == {"loud", None}
    assert effective("failed", "calm", settings) == (False, 5)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 100))
def test_failures_are_an_alert_exactly_when_their_share_is_over_the_threshold(
    accepted: int, rejected: int, threshold: int
) -> None:
    found = find_all(
        dataset(accepted=accepted, rejected=rejected), {(None, "failed"): Setting(True, Decimal(threshold))}
    )
    share = rejected / (accepted + rejected) if rejected else 0
    assert bool(found) == (rejected > 0 and share > threshold / 100)


@given(st.integers(10, 500), st.integers(10, 500), st.data())
def test_a_better_share_of_click_ids_than_the_day_before_is_never_an_alert(
    yesterday: int, today: int, data: st.DataObject
) -> None:
    before = data.draw(st.integers(0, yesterday))
    now = data.draw(st.integers(0, today))
    found = find_all(clicks(yesterday=(yesterday, before), today=(today, now)), {})
    if now * yesterday >= before * today:
        assert not [kind for kind, _ in found if kind == "click_id_fall" and before > 0]


def test_what_two_datasets_do_are_two_alerts() -> None:
    one = DatasetFacts(name="a", workspace=None, pause_reason="by_hand")
    found = find_all(Facts(now=NOW, datasets=[one, replace(one, name="b")]), {})
    assert [finding.subject for _, finding in found] == ["dataset:a", "dataset:b"]
