"""Settings: what is said of mistakes, and what never is."""

import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import Settings, SettingsError, load_settings

SECRET = "s3cretvalue"


def mistakes(environ, *, needs=()):
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, needs=needs)
    return str(caught.value)


def test_nothing_at_all_is_a_usable_set_of_defaults():
    settings = load_settings({})
    assert (settings.sending, settings.graph_version, settings.metrics_port) == ("on", "v25.0", None)
    assert settings.spool_dir == Path(".local/spool")


def test_every_mistake_is_named_at_once():
    environ = {
        "DATABASE_URL": "postgress://somewhere",
        "REDIS_URL": "http://somewhere",
        "GRAPH_VERSION": "25",
        "GRAPH_URL": "somewhere",
        "SENDING": "maybe",
        "METRICS_PORT": "99999",
        "SPOOL_MAX_BYTES": "-1",
        "SWEEP_SECONDS": "nan",
        "LOG_LEVEL": "loud",
    }
    text = mistakes(environ, needs={"TOKEN_KEYS", "HASH_KEYS"})
    for name in [*environ, "TOKEN_KEYS", "HASH_KEYS"]:
        assert f"{name}: " in text


# Each wrong in its own way, and each with something secret in it.
WRONG = {
    "DATABASE_URL": f"postgress://owner:{SECRET}@host/db",
    "REDIS_URL": f"http://:{SECRET}@host",
    "GRAPH_URL": f"graph {SECRET}",
    "GRAPH_VERSION": SECRET,
    "GRAPH_ALLOW_OTHER_HOST": SECRET,
    "SENDING": SECRET,
    "SPOOL_MAX_BYTES": SECRET,
    "MAX_BODY_BYTES": SECRET,
    "TRUSTED_PROXIES": SECRET,
    "METRICS_PORT": SECRET,
    "INTAKE_LEASE_SECONDS": SECRET,
    "SENDING_LEASE_SECONDS": SECRET,
    "SWEEP_SECONDS": SECRET,
    "SWEEP_GRACE_SECONDS": SECRET,
    "LOG_FORMAT": SECRET,
    "LOG_LEVEL": SECRET,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_not_repeated_in_the_error_or_its_traceback(name):
    with pytest.raises(SettingsError) as caught:
        load_settings({name: WRONG[name]})
    assert name in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@given(start=st.text(max_size=20), end=st.text(max_size=20))
def test_no_value_whatever_it_is_gets_into_an_error(start, end):
    text = mistakes(dict.fromkeys(WRONG, f"{start}{SECRET}{end}"))
    assert SECRET not in text


def test_a_blank_value_means_not_set():
    settings = load_settings({"METRICS_PORT": " ", "SENDING": "", "DATABASE_URL": "  "})
    assert (settings.metrics_port, settings.sending, settings.database_url) == (None, "on", "")
    assert "DATABASE_URL: is not set" in mistakes({"DATABASE_URL": "  "}, needs={"DATABASE_URL"})


def test_a_file_holds_a_value_and_its_last_line_break_does_not_count(tmp_path):
    path = tmp_path / "keys"
    path.write_text("newest,\nolder\n")
    assert load_settings({"TOKEN_KEYS_FILE": str(path)}, needs={"TOKEN_KEYS"}).token_keys == ("newest", "older")


def test_a_blank_file_setting_means_not_set():
    assert load_settings({"TOKEN_KEYS": "key", "TOKEN_KEYS_FILE": " "}).token_keys == ("key",)


def test_a_value_and_a_file_for_it_are_one_too_many(tmp_path):
    path = tmp_path / "keys"
    path.write_text(SECRET)
    text = mistakes({"TOKEN_KEYS": SECRET, "TOKEN_KEYS_FILE": str(path)})
    assert "keep one" in text
    assert SECRET not in text


@pytest.mark.parametrize("content", [None, b"\xff\xfe" + SECRET.encode(), b" \n"])
def test_a_file_that_is_missing_or_binary_or_empty_is_a_mistake_among_the_others(tmp_path, content):
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    text = mistakes({"TOKEN_KEYS_FILE": str(path), "SENDING": "maybe"}, needs={"TOKEN_KEYS"})
    assert "TOKEN_KEYS" in text
    assert "SENDING" in text
    assert SECRET not in text


def test_a_file_name_that_no_file_can_have_is_a_mistake():
    assert "TOKEN_KEYS_FILE: cannot be read" in mistakes({"TOKEN_KEYS_FILE": "keys\0"})


def test_settings_show_no_value_when_printed():
    fields = dict.fromkeys(("DATABASE_URL", "TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS", "PUBLIC_URL"), SECRET)
    settings = load_settings(fields | {"DATABASE_URL": f"host=db password={SECRET}"})
    assert isinstance(settings, Settings)
    assert SECRET not in repr(settings)
    assert SECRET not in f"{settings}"


@pytest.mark.parametrize(
    "url",
    ["postgresql:///ctwa?host=/run/postgresql", "postgres://u:p@h:5432/d?sslmode=require", "host=h dbname=d"],
)
def test_every_form_of_a_postgres_address_is_taken(url):
    assert load_settings({"DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize("url", ["redis://h", "rediss://:p@h:6379/1", "unix:///run/redis.sock"])
def test_every_form_of_a_redis_address_is_taken(url):
    assert load_settings({"REDIS_URL": url}).redis_url == url


def test_addresses_lose_their_trailing_slash():
    settings = load_settings({"GRAPH_URL": "http://127.0.0.1:8080/", "PUBLIC_URL": "https://example.com//"})
    assert (settings.graph_url, settings.public_url) == ("http://127.0.0.1:8080", "https://example.com")


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://console.example.com", True),
        ("https://console.example.com:8443/", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://console.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("https://console.example.com/console", False),
        ("console.example.com", False),
        ("ftp://console.example.com", False),
    ],
)
def test_the_console_is_opened_by_https_or_on_this_machine(url, fine):
    if fine:
        assert load_settings({"CONSOLE_URL": url}).console_url == url.rstrip("/")
    else:
        with pytest.raises(SettingsError, match="CONSOLE_URL: must"):
            load_settings({"CONSOLE_URL": url})
