"""What makes a message an ad, and what makes a text a click id."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.messages import (
    FORGED_CLICK_IDS,
    MAX_CLICK_ID,
    PLACEHOLDER_CLICK_IDS,
    AutomaticEvent,
    Message,
    MessageClass,
    Referral,
    classify,
    clean_click_id,
    phone_e164,
)

REAL = "AfiWA0-k3Vq7ZpXw1_Yt" * 6


@pytest.mark.parametrize(
    ("referral", "expected"),
    [
        (None, MessageClass.ORGANIC),
        (Referral(), MessageClass.ORGANIC),
        (Referral(source_type="ad", headline="Sale", media_url="https://m.example/1"), MessageClass.ORGANIC),
        (Referral(source_type="post", conversion_data="QWY="), MessageClass.ORGANIC),
        (Referral(click_id=REAL), MessageClass.AD),
        (Referral(click_id=REAL, source_type="ad"), MessageClass.AD),
        (Referral(click_id=REAL, source_type="unknown"), MessageClass.AD),
        (Referral(source_id="1202"), MessageClass.AD_WITHOUT_CLICK_ID),
        (Referral(source_url="https://fb.me/x"), MessageClass.AD_WITHOUT_CLICK_ID),
        (Referral(flags=("forged_click_id",)), MessageClass.AD_WITHOUT_CLICK_ID),
        (Referral(click_id=REAL, source_type="post"), MessageClass.POST),
        (Referral(click_id=REAL, source_type=" POST "), MessageClass.POST),
        (Referral(source_id="1202", source_type="post"), MessageClass.POST),
    ],
)
def test_a_message_is_classed_by_what_its_referral_names(referral: Referral, expected: MessageClass) -> None:
    assert classify(referral) is expected


@pytest.mark.parametrize("text", [None, "", " ", "\t\n", "null", "NULL", "undefined", " None "])
def test_an_absent_click_id_is_none_without_a_flag(text: str | None) -> None:
    assert clean_click_id(text) == (None, ())


@pytest.mark.parametrize(
    "text",
    [
        *sorted(PLACEHOLDER_CLICK_IDS),
        "CTWA_CLID",
        "Af…(redigido)",
        "AfiWA0...",
        "Af***",
        "<AD_CLICK_ID>",
        "{{ctwa_clid}}",
        "[REDACTED]",
    ],
)
def test_a_placeholder_is_no_click_id_and_is_flagged(text: str) -> None:
    assert clean_click_id(text) == (None, ("placeholder_click_id",))


@pytest.mark.parametrize("text", [*FORGED_CLICK_IDS, "CTWA_CLID_EXAMPLE"])
def test_a_known_forgery_is_no_click_id_and_is_flagged(text: str) -> None:
    assert clean_click_id(text) == (None, ("forged_click_id",))


@pytest.mark.parametrize("text", ["Af x", "Af\x00x", "Af\nx", "Af\u200bx", "Af\ud800x", "Af\u00a0x"])
def test_blanks_and_control_characters_inside_make_no_click_id(text: str) -> None:
    assert clean_click_id(text) == (None, ("malformed_click_id",))


def test_a_text_longer_than_any_click_id_is_flagged() -> None:
    assert clean_click_id("A" * MAX_CLICK_ID) == ("A" * MAX_CLICK_ID, ())
    assert clean_click_id("A" * (MAX_CLICK_ID + 1)) == (None, ("overlong_click_id",))


@given(st.text(alphabet="ABCDabcd0189_-", min_size=9, max_size=200), st.sampled_from(["", " ", "\n", "\t "]))
def test_a_click_id_keeps_every_character_and_its_case(click_id: str, blank: str) -> None:
    if click_id.lower() not in PLACEHOLDER_CLICK_IDS:
        assert clean_click_id(blank + click_id + blank) == (click_id, ())


@given(st.text())
def test_cleaning_is_idempotent_and_never_makes_text_up(text: str) -> None:
    click_id, flags = clean_click_id(text)
    assert click_id is None or (click_id in text and clean_click_id(click_id) == (click_id, ()))
    assert click_id is None or not flags


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("15550100123", "+15550100123"),
        ("5511987654321", "+5511987654321"),
        ("551187654321", "+551187654321"),
        ("999", None),
        ("0", None),
        ("9" * 32, None),
        ("", None),
        (None, None),
    ],
)
def test_a_phone_that_cannot_exist_has_no_e164_form(digits: str | None, expected: str | None) -> None:
    assert phone_e164(digits) == expected


def test_a_row_names_every_key_and_writes_time_in_utc() -> None:
    row = Message(
        message_id="m-1",
        message_class=MessageClass.AD,
        referral=Referral(click_id=REAL, source_id="1202", flags=()),
        phone="15550100123",
        sent_at=datetime(2026, 9, 20, 10, 0, tzinfo=UTC),
    ).as_row()
    assert row["class"] == "ad"
    assert row["click_id"] == REAL
    assert row["phone"] == "+15550100123"
    assert row["sent_at"] == "2026-09-20T10:00:00Z"
    organic = Message(message_id="m-2", message_class=MessageClass.ORGANIC).as_row()
    assert organic.keys() == row.keys()
    assert organic["flags"] == []
    assert organic["click_id"] is None


def test_an_automatic_event_writes_its_value_as_text() -> None:
    row = AutomaticEvent(message_id="m-1", event_name="Purchase", value=Decimal("1E+3")).as_row()
    assert row["value"] == "1000"
    assert row["at"] is None


def test_what_a_log_would_print_of_a_message_names_no_person_and_no_click() -> None:
    message = Message(
        message_id="m-1",
        message_class=MessageClass.AD,
        referral=Referral(click_id=REAL, conversion_data="dG9rZW4="),
        phone="15550100123",
        bsuid="US.1349",
        parent_bsuid="US.ENT.1",
        lid="987@lid",
        provider_id="someone@interop",
    )
    event = AutomaticEvent(message_id="m-1", event_name="Purchase", click_id=REAL)
    printed = repr(message) + repr(event)
    for secret in (REAL, "dG9rZW4=", "15550100123", "US.1349", "US.ENT.1", "987@lid", "someone@interop"):
        assert secret not in printed
