"""What a WhatsApp-Web message holds, in both spellings; the rules that hold for every bridge."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.messages import MessageClass, classify
from shared.providers.reasons import IGNORED
from shared.providers.web_protocol import (
    CONFLICT,
    MAX_WRAPPERS,
    NOT_A_MESSAGE,
    PROTOCOL_TYPES,
    WRAPPERS,
    bytes_as_text,
    click_id_paths,
    is_status_reply,
    read_content,
    read_referral,
)
from tests.unit.shared.providers.cases import values_at

AD = {"sourceType": "ad", "sourceId": "1202", "sourceUrl": "https://fb.me/a", "ctwaClid": "AfOne"}


def context(ad: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"externalAdReply": AD if ad is None else ad, **more}


def class_of(*contexts: Mapping[str, Any]) -> MessageClass:
    return classify(read_referral(contexts))


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("depth", range(1, MAX_WRAPPERS + 1))
def test_a_wrapped_message_is_read_and_its_click_id_is_where_the_table_says(wrapper: str, depth: int) -> None:
    message: dict[str, Any] = {"imageMessage": {"contextInfo": context()}}
    for _ in range(depth):
        message = {"messageContextInfo": {}, wrapper: {"message": message}}
    content = read_content(message)
    assert content.kind == "imageMessage"
    assert class_of(*content.contexts) is MessageClass.AD
    assert any("AfOne" in values_at({"m": message}, path) for path in click_id_paths("m"))


def test_a_message_wrapped_too_often_is_not_opened_for_ever() -> None:
    message: dict[str, Any] = {"imageMessage": {"contextInfo": context()}}
    for _ in range(MAX_WRAPPERS + 1):
        message = {"ephemeralMessage": {"message": message}}
    assert read_content(message).contexts == ()


@pytest.mark.parametrize("kind", sorted(set(NOT_A_MESSAGE) - {"protocolMessage"}))
def test_what_is_no_message_is_named_also_inside_of_a_wrapper(kind: str) -> None:
    inner: dict[str, Any] = {kind: {"contextInfo": context()}}
    for message in (inner, {"ephemeralMessage": {"message": inner}}):
        content = read_content(message)
        assert content.not_a_message == NOT_A_MESSAGE[kind]
        assert content.contexts == ()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({}, "revoke"),
        ({"type": 0}, "revoke"),
        ({"type": "REVOKE"}, "revoke"),
        ({"type": 14}, "edit"),
        ({"type": "MESSAGE_EDIT"}, "edit"),
        ({"type": 5}, "history"),
        ({"type": "EPHEMERAL_SETTING"}, "system"),
        ({"type": ["x"]}, "system"),
    ],
)
def test_a_protocol_message_is_told_by_its_type(written: dict[str, Any], reason: str) -> None:
    assert read_content({"protocolMessage": written}).not_a_message == reason


def test_every_reason_of_the_protocol_has_its_explanation() -> None:
    assert set(NOT_A_MESSAGE.values()) | set(PROTOCOL_TYPES.values()) <= set(IGNORED)


def test_keys_of_a_new_group_member_beside_a_message_do_not_hide_it() -> None:
    content = read_content({"senderKeyDistributionMessage": {}, "extendedTextMessage": {"contextInfo": context()}})
    assert (content.kind, content.not_a_message) == ("extendedTextMessage", None)


@pytest.mark.parametrize("nothing", [None, {}, [], "x", {"messageContextInfo": {}}, {"base64": "x"}])
def test_no_content_is_no_content(nothing: Any) -> None:
    content = read_content(nothing)
    assert (content.kind, content.not_a_message, content.contexts) == (None, None, ())


def test_both_spellings_say_the_same() -> None:
    camel = {
        **AD,
        "mediaType": 2,
        "mediaUrl": "https://m.example/v",
        "title": "T",
        "body": "B",
        "sourceApp": "Instagram",
    }
    go = {
        "sourceType": "ad",
        "sourceID": "1202",
        "sourceURL": "https://fb.me/a",
        "ctwaClid": "AfOne",
        "mediaType": "VIDEO",
        "mediaURL": "https://m.example/v",
        "title": "T",
        "body": "B",
        "sourceApp": "instagram",
    }
    referral = read_referral([context(camel)])
    assert referral == read_referral([context(go)])
    assert referral is not None
    assert (referral.media_type, referral.media_url, referral.source_app) == (
        "video",
        "https://m.example/v",
        "instagram",
    )


@pytest.mark.parametrize(
    "ad",
    [
        {},
        {"sourceType": "ad"},
        {"sourceId": "", "ctwaClid": " ", "sourceUrl": "", "showAdAttribution": True},
        {"title": "Bot", "showAdAttribution": True, "mediaType": 1},
        {"title": "Bot", "showAdAttribution": True, "sourceUrl": "https://github.com/example/bot"},
        {"title": "Bot", "sourceUrl": "https://fb.me.example/x"},
        {"title": "Bot", "sourceUrl": "https://example.com/?u=fb.me"},
    ],
)
def test_a_decoration_is_organic_whatever_the_markers_beside_it(ad: dict[str, Any]) -> None:
    markers = {"conversionSource": "FB_Ads", "conversionData": "QWZT", "entryPointConversionSource": "ctwa_ad"}
    assert read_referral([context(ad)]) is None
    assert read_referral([context(ad, **markers)]) is None
    assert read_referral([markers]) is None


@pytest.mark.parametrize(
    ("ad", "expected"),
    [
        ({"ctwaClid": "AfOne"}, MessageClass.AD),
        ({"sourceId": "1202"}, MessageClass.AD_WITHOUT_CLICK_ID),
        ({"sourceID": 120200000000000001}, MessageClass.AD_WITHOUT_CLICK_ID),
        ({"sourceUrl": "https://fb.me/x"}, MessageClass.AD_WITHOUT_CLICK_ID),
        ({"sourceURL": "https://www.instagram.com/p/x/"}, MessageClass.AD_WITHOUT_CLICK_ID),
        ({"sourceType": "ad", "sourceUrl": "https://shop.example/"}, MessageClass.AD_WITHOUT_CLICK_ID),
        ({"sourceType": "ad", "ctwaClid": "ctwa_clid_example"}, MessageClass.AD_WITHOUT_CLICK_ID),
        ({"sourceType": "POST", "sourceId": "1", "ctwaClid": "ARAC"}, MessageClass.POST),
        ({"sourceType": "AD", "sourceId": "1", "ctwaClid": "ARAC"}, MessageClass.AD),
    ],
)
def test_a_block_that_names_something_is_classed_by_what_it_names(ad: dict[str, Any], expected: MessageClass) -> None:
    assert class_of(context(ad)) is expected


@pytest.mark.parametrize(
    ("ad", "markers", "expected"),
    [
        ({"sourceType": "ad", "ctwaClid": "ARAC"}, {"entryPointConversionSource": "post_cta"}, MessageClass.POST),
        ({"ctwaClid": "ARAC"}, {"entryPointConversionSource": "POST_CTA"}, MessageClass.POST),
        ({"ctwaClid": "ARAC"}, {"conversionSource": "FB_Post"}, MessageClass.POST),
        ({"sourceType": "ad", "ctwaClid": "ARAC"}, {"conversionSource": "FB_Post"}, MessageClass.AD),
        ({}, {"entryPointConversionSource": "post_cta"}, MessageClass.ORGANIC),
    ],
)
def test_an_organic_posts_button_is_no_ad(ad: dict[str, Any], markers: dict[str, Any], expected: MessageClass) -> None:
    assert class_of(context(ad, **markers)) is expected


def test_the_same_context_written_twice_is_one_ad() -> None:
    assert read_referral([context(), context()]) == read_referral([context()])


def test_two_contexts_complete_each_other() -> None:
    referral = read_referral([context({"sourceId": "1202"}), context({"sourceType": "ad", "ctwaClid": "AfOne"})])
    assert referral is not None
    assert (referral.click_id, referral.source_id, referral.flags) == ("AfOne", "1202", ())


@pytest.mark.parametrize("other", [{**AD, "sourceId": "1203"}, {**AD, "ctwaClid": "AfTwo"}])
def test_two_contexts_that_disagree_name_no_ad_at_all(other: dict[str, Any]) -> None:
    for contexts in ([context(), context(other)], [context(other), context()]):
        referral = read_referral(contexts)
        assert referral is not None
        assert (referral.click_id, referral.source_id, referral.source_url) == (None, None, None)
        assert referral.flags == (CONFLICT,)
        assert classify(referral) is MessageClass.AD_WITHOUT_CLICK_ID


@pytest.mark.parametrize("holder", ["quotedMessage", "quotedAd", "contextInfo", "externalAdReply", "message"])
@given(steps=st.lists(st.sampled_from(["message", "extendedTextMessage", "contextInfo", "quotedMessage"]), max_size=5))
def test_an_ad_deeper_in_the_context_belongs_to_another_message(holder: str, steps: list[str]) -> None:
    inner: dict[str, Any] = context()
    for step in steps:
        inner = {step: inner}
    message = {"extendedTextMessage": {"text": "x", "contextInfo": {holder: inner}}}
    assert read_referral(read_content(message).contexts) is None


@pytest.mark.parametrize("name", ["remoteJid", "remoteJID"])
def test_a_reply_to_a_status_is_told_in_both_spellings(name: str) -> None:
    assert is_status_reply([{}, {name: "status@broadcast"}])
    assert not is_status_reply([{name: "15550100123@s.whatsapp.net"}, {}])


@pytest.mark.parametrize(
    "written",
    [
        "QWZT",
        {"0": 65, "1": 102, "2": 83},
        {"2": 83, "0": 65, "1": 102},
        {"type": "Buffer", "data": [65, 102, 83]},
        {"type": "Buffer", "data": {"0": 65, "1": 102, "2": 83}},
        [65, 102, 83],
    ],
)
def test_bytes_are_read_in_every_form(written: Any) -> None:
    assert bytes_as_text(written) == "QWZT"


@pytest.mark.parametrize(
    "written", [None, "", {}, [], 7, {"0": 256}, {"0": -1}, {"1": 65}, {"a": 1}, {"0": "A"}, ["A"], [65] * 5_000]
)
def test_what_is_no_bytes_is_none(written: Any) -> None:
    assert bytes_as_text(written) is None


@given(st.binary(min_size=1, max_size=200))
def test_all_forms_of_the_same_bytes_give_the_same_text(data: bytes) -> None:
    as_map = {str(at): byte for at, byte in enumerate(data)}
    assert bytes_as_text(as_map) == bytes_as_text({"type": "Buffer", "data": list(data)}) == bytes_as_text(list(data))
