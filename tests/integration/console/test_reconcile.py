"""Reconciliation against a fake of Whapi's list of messages, and real workers that read what it stores."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from console import whapi_history
from console.errors import UnavailableError
from console.whapi_history import WhapiHistory
from shared.db.webhook_counts import RECONCILED
from shared.providers.samples import load_sample
from tests.integration.console.commands import Cli
from tests.integration.workers.world import World

TOKEN = "whapi-api-token-CANARY"
NOW = datetime.now(UTC)


def a_message(number: int, case: str = "ad", **changes: Any) -> dict[str, Any]:
    """One message as Whapi lists it, `number` minutes old."""
    sent = NOW - timedelta(minutes=number)
    body = json.loads(load_sample("whapi", case, now=sent, phone=f"1555010{number:04d}"))
    message: dict[str, Any] = body["messages"][0]
    return {**message, **changes}


@dataclass
class FakeWhapi:
    """`GET /messages/list` as documented: filters, sorting, paging by count and offset, a total."""

    messages: list[Any] = field(default_factory=list)
    #: What the next requests are answered instead, in order; None lets one through.
    faults: deque[Response | None] = field(default_factory=deque)
    asked: list[dict[str, str]] = field(default_factory=list)
    with_total: bool = True
    ignores_offset: bool = False

    def answer(self, request: Request) -> Response:
        asked = request.args.to_dict()
        self.asked.append(asked)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Response('{"error": {"code": 401}}', 401)
        fault = self.faults.popleft() if self.faults else None
        if fault is not None:
            return fault
        chosen = [one for one in self.messages if self._fits(one, asked)]
        offset = 0 if self.ignores_offset else int(asked["offset"])
        page = chosen[offset : offset + int(asked["count"])]
        found: dict[str, Any] = {"messages": page, "count": len(page), "offset": offset}
        if self.with_total:
            found["total"] = len(chosen)
        return Response(json.dumps(found), content_type="application/json")

    def _fits(self, message: Any, asked: dict[str, str]) -> bool:
        if not isinstance(message, dict) or not isinstance(message.get("timestamp"), int):
            return True
        return int(asked["time_from"]) <= message["timestamp"] <= int(asked["time_to"])


@pytest.fixture
def whapi(httpserver: HTTPServer) -> FakeWhapi:
    fake = FakeWhapi()
    httpserver.expect_request("/messages/list", method="GET").respond_with_handler(fake.answer)
    return fake


@pytest.fixture
def sales(world: World) -> int:
    return world.add_channel("sales", dataset_id=world.add_dataset())


@pytest.fixture
def reconcile(cli: Cli, httpserver: HTTPServer, sales: int) -> Any:
    def run(*args: str, code: int = 0) -> Any:
        url = httpserver.url_for("").rstrip("/")
        fixed = ("reconcile", "--channel", "sales", "--url", url, "--wait", "0", "--json")
        result = cli(*fixed, *args, code=code, WHAPI_API_TOKEN=TOKEN)
        return json.loads(result.stdout)

    return run


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No wait is really waited; the list holds how long each would have been."""
    waited: list[float] = []
    monkeypatch.setattr(whapi_history, "sleep", waited.append)
    return waited


def test_missed_openers_become_leads_as_if_their_webhooks_had_come(
    reconcile: Any, cli: Cli, world: World, whapi: FakeWhapi, sales: int
) -> None:
    whapi.messages = [a_message(number) for number in range(3)] + [a_message(4, "organic")]
    found = reconcile()
    assert (found["read"], found["inbound"], found["complete"]) == (4, 4, True)
    assert sorted(one["class"] for one in found["missed"]) == ["ad", "ad", "ad", "organic"]
    assert found["intake"] == {"done": 0, "rejected": 0, "waiting": 1, "new": 0}
    world.intake()
    assert world.states() == ["pending"] * 3
    [webhook] = cli.rows("select source_id, state, messages, headers from webhooks")
    assert (webhook["source_id"], webhook["state"], webhook["messages"]) == (sales, "done", 4)
    assert webhook["headers"]["user-agent"] == RECONCILED


def test_running_it_again_changes_nothing(reconcile: Any, cli: Cli, world: World, whapi: FakeWhapi) -> None:
    whapi.messages = [a_message(number) for number in range(5)]
    reconcile()
    # Once more before intake has read anything, and once after.
    assert len(reconcile()["missed"]) == 5
    world.intake()
    assert reconcile()["missed"] == []
    assert len(cli.rows("select from messages")) == len(cli.rows("select from conversions")) == 5
    assert world.states() == ["pending"] * 5


def test_what_came_as_a_webhook_is_not_fetched_again(
    reconcile: Any, world: World, whapi: FakeWhapi, sales: int
) -> None:
    whapi.messages = [a_message(number) for number in range(3)]
    world.receive(sales, json.dumps({"messages": whapi.messages[:2]}).encode())
    world.intake()
    [missed] = reconcile()["missed"]
    assert missed["message_id"] == whapi.messages[2]["id"]


def test_a_message_that_came_without_its_ad_is_completed(
    reconcile: Any, cli: Cli, world: World, whapi: FakeWhapi, sales: int
) -> None:
    whole = a_message(1)
    bare = {name: value for name, value in whole.items() if name != "context"}
    world.receive(sales, json.dumps({"messages": [bare]}).encode())
    world.intake()
    assert world.states() == []
    whapi.messages = [whole]
    assert [one["class"] for one in reconcile()["missed"]] == ["ad"]
    world.intake()
    assert world.states() == ["pending"]
    # And what the list has lost takes nothing away.
    whapi.messages = [bare]
    assert reconcile()["missed"] == []
    assert cli.rows("select class from messages") == [{"class": "ad"}]


def test_a_dry_run_says_what_would_be_new_and_stores_nothing(reconcile: Any, cli: Cli, whapi: FakeWhapi) -> None:
    whapi.messages = [a_message(number) for number in range(2)]
    found = reconcile("--dry-run")
    assert {one["message_id"] for one in found["missed"]} == {one["id"] for one in whapi.messages}
    assert (found["webhooks"], found["intake"]) == ([], None)
    assert cli.rows("select from webhooks") == []
    assert cli.rows("select from audit_log where action like 'channel.reconcile%%'") == []


@pytest.mark.parametrize("with_total", [True, False])
def test_all_pages_are_read_within_the_asked_times(reconcile: Any, whapi: FakeWhapi, with_total: bool) -> None:
    whapi.with_total = with_total
    whapi.messages = [a_message(number, id=f"id{number:06d}-message") for number in range(250)]
    whapi.messages += [a_message(60 * 30, id="too-old-message")]
    found = reconcile("--since", "24h", "--dry-run")
    assert (found["read"], found["complete"]) == (250, True)
    assert [one["offset"] for one in whapi.asked] == ["0", "100", "200"]
    [one] = {tuple(sorted((k, v) for k, v in asked.items() if k != "offset")) for asked in whapi.asked}
    asked = dict(one)
    assert (asked["count"], asked["sort"], asked["from_me"]) == ("100", "asc", "false")
    assert int(asked["time_to"]) - int(asked["time_from"]) == 86_400


def test_a_message_on_two_pages_is_taken_once(reconcile: Any, cli: Cli, world: World, whapi: FakeWhapi) -> None:
    whapi.messages = [a_message(number, id=f"id{number:06d}-message") for number in range(99)]
    whapi.messages += [whapi.messages[3], whapi.messages[4], a_message(200)]
    assert len(reconcile()["missed"]) == 100
    world.intake()
    assert len(cli.rows("select from messages")) == 100


def test_a_server_that_repeats_its_page_is_left(reconcile: Any, whapi: FakeWhapi) -> None:
    whapi.messages = [a_message(number, id=f"id{number:06d}-message") for number in range(300)]
    whapi.ignores_offset = True
    found = reconcile("--dry-run", code=1)
    assert (found["read"], found["complete"], len(whapi.asked)) == (100, False, 2)


def test_a_limit_ends_it_and_says_that_not_all_was_read(reconcile: Any, whapi: FakeWhapi) -> None:
    whapi.messages = [a_message(number, id=f"id{number:06d}-message") for number in range(300)]
    found = reconcile("--dry-run", "--limit", "150", code=1)
    assert (found["read"], found["complete"]) == (150, False)


def test_only_live_messages_from_people_are_fetched(reconcile: Any, whapi: FakeWhapi) -> None:
    whapi.messages = [
        a_message(1, from_me=True),
        a_message(2, chat_id="120363000000000000@g.us"),
        a_message(3, source="api"),
        a_message(4, type="action", action={"type": "edit"}),
        a_message(5, type="system"),
        a_message(6),
    ]
    found = reconcile("--dry-run")
    assert (found["read"], found["inbound"], len(found["missed"])) == (6, 1, 1)


def test_garbage_among_the_messages_harms_no_other(reconcile: Any, cli: Cli, world: World, whapi: FakeWhapi) -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    whapi.messages = [
        a_message(1), None, 7, "text", [], {}, {"id": None}, {"id": 5}, {"id": "x"}, a_message(2, context="nonsense"),
        a_message(3, id="deep-message", context=deep), a_message(4, id="nul\x00-\ud800message"), a_message(5),
    ]  # fmt: skip
    found = reconcile(code=1)
    assert (found["unreadable"], len(found["missed"])) == (1, 3)
    world.intake()
    assert [row["state"] for row in cli.rows("select state from webhooks")] == ["done"]
    assert len(cli.rows("select from messages")) == 3


def test_a_busy_server_is_left_alone_as_long_as_it_wants(
    reconcile: Any, whapi: FakeWhapi, patient: list[float]
) -> None:
    whapi.messages = [a_message(number, id=f"id{number:06d}-message") for number in range(150)]
    whapi.faults = deque(
        [
            Response("", 429, {"Retry-After": "7"}),
            None,
            Response("", 429, {"Retry-After": "86400"}),
            Response("", 503),
            Response("", 429, {"Retry-After": "later"}),
        ]
    )
    assert reconcile("--dry-run")["read"] == 150
    assert patient == [7.0, 60.0, 2.0, 4.0]
    assert len(whapi.asked) == 6


def test_a_server_that_stays_busy_is_given_up_and_what_was_fetched_is_kept(
    cli: Cli, world: World, whapi: FakeWhapi, httpserver: HTTPServer, sales: int, patient: list[float]
) -> None:
    whapi.messages = [a_message(number, id=f"id{number:06d}-message") for number in range(150)]
    whapi.faults = deque([None, *[Response("", 429) for _ in range(5)]])
    url = httpserver.url_for("").rstrip("/")
    result = cli("reconcile", "--channel", "sales", "--url", url, code=1, WHAPI_API_TOKEN=TOKEN)
    assert "slow down" in result.stderr
    assert len(patient) == 4
    world.intake()
    assert len(cli.rows("select from messages")) == 100
    [stored] = cli.rows("select detail from audit_log where action = 'channel.reconcile.stored'")
    assert stored["detail"]["missed"] == 100


@pytest.mark.parametrize(
    ("answer", "words", "code"),
    [
        (Response('{"error": {}}', 401), "refuses this API token (HTTP 401)", 2),
        (Response("", 403), "refuses this API token (HTTP 403)", 2),
        (Response("", 302, {"Location": "https://elsewhere.example.com/"}), "HTTP 302", 1),
        (Response("", 404), "HTTP 404", 1),
        (Response("<html>"), "no list of messages", 1),
        (Response("[]"), "no list of messages", 1),
        (Response('{"messages": {}}'), "no list of messages", 1),
        (Response('{"messages": [NaN]}'), "no list of messages", 1),
        (Response('{"messages": ' + "[" * 100_000), "no list of messages", 1),
        (Response(b"\xff\xfe\x00"), "no list of messages", 1),
    ],
)
def test_an_answer_that_is_no_list_is_said_in_plain_words(
    cli: Cli, whapi: FakeWhapi, httpserver: HTTPServer, sales: int, answer: Response, words: str, code: int
) -> None:
    whapi.faults = deque([answer])
    url = httpserver.url_for("").rstrip("/")
    result = cli("reconcile", "--channel", "sales", "--url", url, code=code, WHAPI_API_TOKEN=TOKEN)
    assert words in result.stderr
    assert len(whapi.asked) == 1


def test_an_answer_larger_than_any_page_is_refused(whapi: FakeWhapi, httpserver: HTTPServer) -> None:
    whapi.faults = deque([Response(b" " * (33 * 1024 * 1024))])
    history = WhapiHistory(httpserver.url_for("").rstrip("/"), TOKEN)
    with pytest.raises(UnavailableError, match="larger than any page"):
        list(history.pages(NOW - timedelta(hours=1), NOW))


def test_an_answer_that_trickles_ends_with_the_time_that_there_is(httpserver: HTTPServer) -> None:
    let_go = threading.Event()

    def trickle() -> Iterator[bytes]:
        yield b'{"messages": ['
        while not let_go.wait(0.05):
            yield b" "

    httpserver.expect_request("/messages/list").respond_with_handler(lambda _: Response(trickle()))
    history = WhapiHistory(httpserver.url_for("").rstrip("/"), TOKEN, seconds=0.5)
    try:
        with pytest.raises(UnavailableError, match="took too long"):
            list(history.pages(NOW - timedelta(hours=1), NOW))
    finally:
        let_go.set()


def test_nobody_there_is_said_without_the_url(patient: list[float]) -> None:
    history = WhapiHistory("http://127.0.0.1:9", TOKEN)
    with pytest.raises(UnavailableError, match=r"no answer \(ConnectionError\)") as raised:
        list(history.pages(NOW - timedelta(hours=1), NOW))
    assert raised.value.__context__ is None or "messages/list" not in str(raised.value.__context__)
    assert patient == [1.0, 2.0, 4.0, 8.0]


def test_the_token_is_in_no_url_output_log_or_table(
    cli: Cli, whapi: FakeWhapi, httpserver: HTTPServer, sales: int, tmp_path: Any
) -> None:
    whapi.messages = [a_message(1)]
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    url = httpserver.url_for("").rstrip("/")
    result = cli("reconcile", "--channel", "sales", "--url", url, "--wait", "0", "--token-file", str(file))
    assert TOKEN not in result.output
    assert TOKEN not in str(whapi.asked)
    assert TOKEN not in str(cli.rows("select * from audit_log"))
    assert TOKEN not in str(cli.rows("select headers, path, query from webhooks"))
    lines = cli.rows(
        "select action, subject, detail from audit_log where action like 'channel.reconcile%%' order by id"
    )
    assert [line["action"] for line in lines] == ["channel.reconcile", "channel.reconcile.stored"]
    assert lines[1]["detail"]["missed"] == 1
    assert "15550100001" not in result.output + str(lines)


def test_it_waits_for_intake_and_says_how_many_were_new(
    cli: Cli, world: World, whapi: FakeWhapi, httpserver: HTTPServer, sales: int
) -> None:
    whapi.messages = [a_message(number) for number in range(3)]
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.1):
            world.intake()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        url = httpserver.url_for("").rstrip("/")
        result = cli("reconcile", "--channel", "sales", "--url", url, WHAPI_API_TOKEN=TOKEN)
    finally:
        over.set()
        worker.join()
    assert "3 messages were new." in result.stdout
    assert "read 3 of 3 messages, 3 of them missing here" in result.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--url", "http://gate.whapi.cloud"), "must be https://"),
        (("--token-file", "/nowhere/token"), "can't be read"),
        (("--since", "2099-01-01"), "must be in the past"),
    ],
)
def test_a_call_that_cannot_be_made_is_refused(cli: Cli, sales: int, args: tuple[str, ...], words: str) -> None:
    environ = {} if "--token-file" in args else {"WHAPI_API_TOKEN": TOKEN}
    assert words in cli("reconcile", "--channel", "sales", *args, code=2, **environ).stderr


def test_without_a_token_it_asks_for_one(cli: Cli, sales: int) -> None:
    assert "Whapi's API token is empty" in cli("reconcile", "--channel", "sales", code=2).stderr


def test_other_providers_keep_no_list_of_messages(cli: Cli, world: World) -> None:
    world.add_channel("cloud", dataset_id=None, provider="meta_cloud")
    assert "Only Whapi's" in cli("reconcile", "--channel", "cloud", code=2, WHAPI_API_TOKEN=TOKEN).stderr
