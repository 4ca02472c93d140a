"""Migrating, keys, samples, the bell, the local stack, and every command as a process of its own."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pytest_httpserver import HTTPServer
from werkzeug import Request as WebRequest
from werkzeug import Response

from shared.local.lock import held_lock
from shared.local.stack import Stack, write_stack
from shared.providers import PROVIDERS
from shared.providers.base import Request
from shared.providers.samples import list_samples
from shared.queue import Work, make_redis
from tests.databases import with_database
from tests.integration.console.commands import CONSOLE_PASSWORD, Cli


def run(*args: str, stdin: str = "", cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as a process, with nothing of this process's settings."""
    return subprocess.run(
        [sys.executable, "-m", "console.cli.main", *args],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd or Path(__file__).parents[3],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3]), **environ},
    )


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    name = f"empty_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    yield with_database(postgres_url, name)
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def test_migrating_makes_a_database_usable_and_running_it_again_changes_nothing(
    empty_database: str, tmp_path: Path
) -> None:
    before = run("status", DATABASE_URL=empty_database)
    assert before.returncode == 1
    assert "ctwa migrate" in before.stdout
    assert "ctwa migrate" in run("deliveries", DATABASE_URL=empty_database).stderr
    assert "would apply 0001" in run("migrate", "--dry-run", DATABASE_URL=empty_database).stdout
    (tmp_path / "password").write_text("from-a-file")
    passwords = {"CONSOLE_DB_PASSWORD": CONSOLE_PASSWORD, "WORKER_DB_PASSWORD_FILE": str(tmp_path / "password")}
    done = run("migrate", DATABASE_URL=empty_database, **passwords)
    assert done.returncode == 0, done.stderr
    assert "applied 0001" in done.stdout
    assert "set the password of ctwa_worker" in done.stdout
    assert "ctwa_receiver" not in done.stdout
    assert CONSOLE_PASSWORD not in done.stdout + done.stderr
    again = run("migrate", DATABASE_URL=empty_database)
    assert again.stdout == "The database is up to date.\n"
    assert run("deliveries", DATABASE_URL=empty_database).returncode == 0


def test_migrating_as_another_role_than_the_owner_says_so(cli: Cli) -> None:
    cli.execute("delete from schema_migrations where number = (select max(number) from schema_migrations)")
    refused = cli("migrate", code=1)
    assert "owner" in refused.stderr
    assert "ctwa migrate" in cli("deliveries", code=1).stderr


def test_every_command_works_as_a_process_and_pipes_cleanly(cli: Cli) -> None:
    def ctwa(*args: str, stdin: str = "") -> str:
        done = run(*args, stdin=stdin, **cli.environ)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    assert len(ctwa("keys", "generate").strip()) == 44
    assert [line.split("=")[0] for line in ctwa("keys", "generate", "--env").split()] == [
        "TOKEN_KEYS",
        "SECRET_KEYS",
        "HASH_KEYS",
    ]
    ctwa("credentials", "add", "main", "--token-file", "-", stdin="EAAtoken0123456789")
    ctwa("datasets", "add", "main", "--meta-id", "12", "--waba-id", "3", "--credential", "main")
    ctwa("channels", "add", "sales", "--provider", "whapi", "--dataset", "main")
    for command in ("credentials", "datasets", "channels"):
        assert len(json.loads(ctwa(command, "list", "--json"))) == 1
        table = ctwa(command, "list")
        assert "\x1b" not in table
        assert len(table.splitlines()) == 2
    for command in ("deliveries", "webhooks"):
        assert json.loads(ctwa(command, "--json")) == []
    body = run("send-sample", "--channel", "sales", "--list", **cli.environ).stdout
    assert body.split() == list_samples("whapi")


def test_a_token_typed_at_the_prompt_is_not_echoed(cli: Cli) -> None:
    token = "EAAtyped0123456789"
    terminal, ours = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "console.cli.main", "credentials", "add", "main"],
        stdin=ours,
        stdout=subprocess.PIPE,
        stderr=ours,
        start_new_session=True,
        cwd=Path(__file__).parents[3],
        env={"PATH": os.environ["PATH"], **cli.environ},
    ) as process:
        os.close(ours)
        # The prompt's last character comes after the echo is off.
        shown = os.read(terminal, 100)
        os.write(terminal, f"{token}\n".encode())
        printed, _ = process.communicate(timeout=60)
        with contextlib.suppress(OSError):  # a terminal whose other end is closed
            while more := os.read(terminal, 1000):
                shown += more
        os.close(terminal)
    assert process.returncode == 0, shown
    assert token.encode() not in shown + printed
    [row] = cli.rows("select token from credentials")
    assert cli.token_ring.open(row["token"]).decode() == token


def test_an_expected_error_is_a_sentence_and_an_exit_code(cli: Cli) -> None:
    for args, code in (
        (("datasets", "show", "nope"), 2),
        (("delivery", "nope"), 2),
        (("channels", "add", "a", "--provider", "nope"), 2),
        (("nope",), 2),
    ):
        done = run(*args, **cli.environ)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
    done = run("deliveries", DATABASE_URL="postgresql://a:canary@127.0.0.1:1/b")
    assert (done.returncode, "Traceback" in done.stderr, "canary" in done.stderr) == (1, False, False)


def test_parse_needs_no_settings_and_says_what_it_cannot_read(tmp_path: Path) -> None:
    body = '{"messages": [], "event": {"type": "messages", "event": "post"}}'
    done = run(
        "parse", "--provider", "whapi", "--header", "Content-Type: application/json", "-", stdin=body, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"messages", "automatic_events", "ignored"}
    done = run("parse", "--provider", "whapi", "-", stdin="{", cwd=tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["reason"] == "not_json"
    done = run("parse", "--provider", "nope", "-", stdin=body, cwd=tmp_path)
    assert done.returncode == 2
    assert all(name in done.stderr for name in PROVIDERS)
    assert run("parse", "--provider", "whapi", "nope.json", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_samples_arrive_signed_as_their_provider_signs_and_each_is_new(
    cli: Cli, httpserver: HTTPServer, provider: str
) -> None:
    given = [field for field in PROVIDERS[provider].secret_fields if not field.generated and field.required]
    variables = [part for field in given for part in ("--secret-env", f"{field.name}=A_SECRET")]
    cli("channels", "add", "sales", "--provider", provider, *variables, A_SECRET="app-secret")
    channel = cli.json("channels", "show", "sales", "--reveal")
    received: list[Request] = []

    def answer(request: WebRequest) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        # The receiver, too, takes the URL that the provider was given for the one that was called.
        received.append(Request(headers=headers, body=request.get_data(), url=channel["webhook_url"]))
        return Response("taken")

    httpserver.expect_request(f"/webhooks/{channel['key']}", method="POST").respond_with_handler(answer)
    output = cli("send-sample", "--channel", "sales", "--count", "3", "--url", httpserver.url_for("")).output
    assert "HTTP 200" in output
    assert "ctwa deliveries" in output
    assert len(received) == 3
    assert all(PROVIDERS[provider].verify(request, channel["secrets"]) for request in received)
    messages = [message for request in received for message in PROVIDERS[provider].parse(request).messages]
    assert len({message.message_id for message in messages}) == 3
    clicks = {message.referral.click_id for message in messages if message.referral and message.referral.click_id}
    # Some providers hand no click id on at all.
    assert len(clicks) == (3 if PROVIDERS[provider].click_id_paths else 0)


def test_a_receiver_that_refuses_or_is_away_is_a_problem(cli: Cli, httpserver: HTTPServer) -> None:
    cli("channels", "add", "sales", "--provider", "whapi")
    httpserver.expect_request("/webhooks/x").respond_with_data("", status=401)
    sent = cli("send-sample", "--channel", "sales", "--url", httpserver.url_for(""), "--json", code=1)
    assert json.loads(sent.stdout)["sent"][0]["status"] == 500
    away = cli("send-sample", "--channel", "sales", "--url", "http://127.0.0.1:1", code=1)
    assert "Is it running?" in away.stderr


def test_a_sample_never_becomes_a_real_lead_by_accident(cli: Cli, httpserver: HTTPServer) -> None:
    cli("datasets", "add", "main", "--meta-id", "12")
    cli("channels", "add", "sales", "--provider", "whapi", "--dataset", "main")
    httpserver.expect_request(f"/webhooks/{cli.json('channels', 'show', 'sales')['key']}").respond_with_data("")
    send = ("send-sample", "--channel", "sales", "--url", httpserver.url_for(""))
    assert "--live" in cli(*send, code=2).stderr
    assert httpserver.log == []
    cli(*send, GRAPH_URL="http://127.0.0.1:9000")
    cli(*send, "--live")
    cli("datasets", "set", "main", "--sending", "dry-run")
    cli(*send)
    assert len(httpserver.log) == 3


def test_a_change_that_lets_work_go_on_rings_for_it_and_a_dead_redis_does_not_matter(cli: Cli, valkey_url: str) -> None:
    redis = make_redis(valkey_url)
    redis.flushall()
    cli("datasets", "add", "main", "--meta-id", "12")
    cli("datasets", "pause", "main", REDIS_URL=valkey_url)
    assert redis.llen(Work.SENDING.value) == 0
    cli("datasets", "resume", "main", REDIS_URL=valkey_url)
    assert redis.llen(Work.SENDING.value) == 1
    redis.close()
    cli("datasets", "set", "main", "--waba-id", "3", REDIS_URL="redis://127.0.0.1:1/0")
    assert cli.json("datasets", "show", "main")["waba_id"] == "3"


def test_without_a_database_of_its_own_a_command_uses_the_stack_that_runs_here(cli: Cli, tmp_path: Path) -> None:
    state = tmp_path / ".local"
    state.mkdir()
    below = tmp_path / "below"
    below.mkdir()
    assert "DATABASE_URL" in run("datasets", "list", cwd=below).stderr
    with held_lock(state):
        write_stack(
            Stack(
                pid=os.getpid(),
                started_at=datetime.now(UTC),
                state_dir=state,
                ready=True,
                processes=[],
                extra={"environment": dict(cli.environ)},
            )
        )
        for args, cwd in ((("datasets", "list"), below), (("--state-dir", str(state), "datasets", "list"), Path("/"))):
            done = run(*args, cwd=cwd)
            assert done.returncode == 0, done.stderr
            assert "There are no datasets" in done.stdout
            assert str(state) in done.stderr
        own = run("datasets", "list", cwd=below, DATABASE_URL=cli.environ["DATABASE_URL"])
        assert own.stderr == ""


def test_what_came_from_outside_cannot_steer_a_terminal(cli: Cli) -> None:
    cli("datasets", "add", "main", "--meta-id", "12")
    cli("datasets", "pause", "main", "--why", "\x1b]0;owned\x07\x9b31m\u202ered")
    for args in (
        ("datasets", "show", "main"),
        ("datasets", "show", "main", "--json"),
        ("datasets", "list"),
        ("status",),
    ):
        output = cli(*args, code=1 if args == ("status",) else 0).output
        assert not any(character in output for character in "\x1b\x07\x9b\u202e"), args


def test_a_provider_stands_for_its_test_channel(cli: Cli, httpserver: HTTPServer) -> None:
    cli("channels", "add", "a live one", "--provider", "whapi")
    send = ("send-sample", "--provider", "whapi", "--case", "organic", "--url", httpserver.url_for(""))
    assert "no test channel" in cli(*send, code=2).stderr
    cli("channels", "add", "trial", "--provider", "whapi", "--test")
    httpserver.expect_request(f"/webhooks/{cli.json('channels', 'show', 'trial')['key']}").respond_with_data("")
    assert "HTTP 200" in cli(*send).output
    assert "--provider" in cli("send-sample", code=2).stderr
