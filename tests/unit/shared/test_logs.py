"""Logs: one JSON object a line, with no secret and no person in it, whatever is passed."""

import io
import json
import logging
import string
import sys
import uuid
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared.ids import uuid7
from shared.logs import configure_logs, get_logger, redact_event, redact_text

LETTERS = string.ascii_letters + string.digits
TOKENS = st.text(LETTERS, min_size=24, max_size=200).map(lambda tail: "EAA" + tail)
CLICK_IDS = st.tuples(
    st.sampled_from(["Af", "AR", "AQ", "A1"]), st.text(LETTERS + "_-", min_size=98, max_size=137)
).map("".join)
PHONES = st.integers(10**10, 10**15 - 1).map(str)
SECRETS = st.one_of(TOKENS, CLICK_IDS, PHONES)
#: What stands around a secret in the texts of libraries: sentences, reprs, JSON, forms, addresses.
AROUND = st.sampled_from(
    [
        "{}", "{}.", "({})", "'{}'", '{{"from": "{}"}}', "from={}", "wa_id:{}", "{}:", "tel:+{}", "{}@s.whatsapp.net",
        "phone_{}", "{}-1", "x {}, y", "https://example.com/?to={}&x=1", "Key (hash)=({}) exists", "{}\n", "\t{}",
        "caused by {}: no", "[{}]", "user-{}", "to=%2B{}&", "\\u0022{}",
    ]
)  # fmt: skip


@pytest.fixture
def lines(monkeypatch):
    """Configures JSON logs into memory; a function that returns the lines so far."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    before = logging.getLogger().handlers[:], logging.getLogger().level
    configure_logs("test", log_format="json", level="info")
    yield lambda: stream.getvalue().splitlines()
    logging.getLogger().handlers[:], _ = before
    logging.getLogger().setLevel(before[1])
    structlog.reset_defaults()


def shown(**values):
    return json.dumps(redact_event(None, "info", dict(values)))


@given(secret=SECRETS, around=AROUND)
def test_a_secret_never_comes_out_of_a_text(secret, around):
    assert secret not in redact_text(around.format(secret))


@given(secret=SECRETS, around=AROUND, key=st.sampled_from(["event", "error", "exception", "detail"]))
def test_a_secret_never_comes_out_of_any_place_of_an_event(secret, around, key):
    text = around.format(secret)
    nested = [
        text,
        (text,),
        {text: text},
        {text},
        frozenset({text}),
        text.encode(),
        ValueError(text),
        {"a": [{"b": text}]},
    ]
    assert secret not in shown(**{key: text}, other=nested)


@pytest.mark.parametrize(
    "name", ["token", "Authorization", "password", "body", "phone", "click_id", "ctwa_clid", "headers"]
)
def test_a_forbidden_name_is_emptied_at_any_depth(name):
    assert "hello" not in shown(**{name: "hello"}, other={"deep": [{name: "hello"}]})


@given(moment=st.datetimes(timezones=st.just(UTC)), number=st.integers(0, 10**9 - 1))
def test_ids_and_times_and_counts_stay_readable(moment, number):
    kept = [str(uuid7()), str(uuid.uuid4()), moment.isoformat(), str(moment), str(number), f"{number / 7:.6f}"]
    for text in kept:
        assert redact_text(text) == text
        assert redact_text(f"at {text}, then") == f"at {text}, then"
    values = {"count": number, "seconds": number / 7, "on": True, "none": None, "id": uuid.UUID(kept[0]), "at": moment}
    event = redact_event(None, "info", dict(values))
    assert (event["count"], event["seconds"], event["on"], event["none"]) == (number, number / 7, True, None)
    assert (event["id"], event["at"]) == (kept[0], str(moment))


@pytest.mark.parametrize(
    "hexadecimal",
    [
        "d41d8cd98f00b204e9800998ecf8427e",
        "0" * 32,
        "12345678901234567890123456789012",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ],
)
def test_event_ids_and_hashes_stay_readable(hexadecimal):
    assert redact_text(f"event {hexadecimal} sent") == f"event {hexadecimal} sent"


@pytest.mark.parametrize(
    "address",
    ["postgresql://ctwa:s3cret@db:5432/x", "redis://:s3cret@cache:6379/0", "postgresql://u:s3c@s3cret@h/d"],
)
def test_a_password_in_an_address_is_masked(address):
    masked = redact_text(f"cannot connect to {address}: refused")
    assert "s3c" not in masked
    assert "cannot connect to" in masked


@given(text=st.text(max_size=300))
def test_any_text_at_all_becomes_one_line_of_json(text):
    line = json.dumps(redact_event(None, "info", {"event": text, "key": {text: text}}), default=str)
    assert len(line.splitlines()) == 1
    assert redact_text(redact_text(text)) == redact_text(text)


def test_every_event_is_one_line_of_json_that_says_where_and_when(lines):
    get_logger("a").info("first\nsecond", webhook_id="w1")
    logging.getLogger("b").warning("foreign %s", "text")
    first, second = (json.loads(line) for line in lines())
    assert (first["event"], first["webhook_id"], first["level"]) == ("first\nsecond", "w1", "info")
    assert (second["event"], second["logger"], second["level"]) == ("foreign text", "b", "warning")
    for event in (first, second):
        assert event["process"] == "test"
        assert datetime.fromisoformat(event["timestamp"]).tzinfo is not None


@pytest.mark.parametrize("source", ["structlog", "logging"])
def test_the_text_of_an_exception_and_of_its_causes_is_redacted(lines, source):
    secret = "EAA" + "x" * 40
    try:
        try:
            raise ValueError(f"token {secret} refused")
        except ValueError as error:
            raise RuntimeError("phone 5511999990000.") from error
    except RuntimeError:
        if source == "structlog":
            get_logger("a").exception("failed")
        else:
            logging.getLogger("a").exception("failed")
    (line,) = lines()
    assert secret not in line
    assert "5511999990000" not in line
    assert "RuntimeError" in json.loads(line)["exception"]


def test_what_cannot_be_written_as_json_is_written_as_redacted_text(lines, capsys):
    get_logger("a").info(
        "odd", values={(1, "5511999990000"): object(), "s": {"5511999990000"}}, error=ValueError("5511999990000")
    )
    (line,) = lines()
    assert "5511999990000" not in line
    assert json.loads(line)["event"] == "odd"


def test_a_foreign_line_hides_its_arguments(lines):
    logging.getLogger("celery").error("Task %s raised: %r", "intake.drain", {"phone": "5511999990000"})
    (line,) = lines()
    assert "5511999990000" not in line
    assert "intake.drain" in line


def test_a_logger_that_was_used_already_is_heard_at_the_level_set_later(lines):
    logger = get_logger("a")
    logging.getLogger().setLevel("WARNING")
    logger.info("first")
    logging.getLogger().setLevel("INFO")
    logger.info("second")
    assert [json.loads(line)["event"] for line in lines()] == ["second"]


def test_a_terminal_gets_readable_lines_without_control_characters(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logs("test", log_format="console")
        get_logger("a").warning("odd \x1b[31mred\x07", number="+55 5511999990000")
        assert "odd  [31mred" in stream.getvalue()
        assert "5511999990000" not in stream.getvalue()
    finally:
        logging.getLogger().handlers[:], _ = before
        logging.getLogger().setLevel(before[1])
        structlog.reset_defaults()
