"""Nothing that a process prints, counts or queues holds a token, a phone number or a click id."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from console.stack.seed import DATASETS
from tests.e2e.local_stack import LocalStack, Sample, ctwa, running_stack, wait_until

pytestmark = pytest.mark.timeout(300)

PHONE = "15550137713"
CLICK_ID = "ARAkPlantedClickIdThatNobodyMayEverPrint_0123456789abcdefghij"
BAD_CLICK_ID = "ARAkPlantedClickIdThatMetaRefuses_0123456789abcdefghijklmnop"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalStack, list[str]]]:
    """A stack that planted secrets went through, on the good way and on every bad one; and these secrets."""
    folder = tmp_path_factory.mktemp("secrets")
    with running_stack(folder / "state", LOG_LEVEL="debug") as stack:
        kept = json.loads((stack.state_dir / "secrets.json").read_text())
        _go_well(stack)
        _go_wrong_at_the_door(stack)
        _go_wrong_at_meta(stack, kept)
        yield stack, [PHONE, CLICK_ID, BAD_CLICK_ID, *(kept[dataset.token] for dataset in DATASETS)]


def _go_well(stack: LocalStack) -> None:
    ad = Sample("whapi", phone=PHONE, click_id=CLICK_ID)
    assert stack.post_at_once("demo-whapi", [ad.body] * 5) == [200] * 5
    assert stack.post("demo-whapi", Sample("whapi", "organic", phone=PHONE).body) == 200
    cloud = Sample("meta_cloud", phone=PHONE, click_id=f"{CLICK_ID}2")
    assert stack.post("demo-meta_cloud", cloud.body) == 200
    wait_until(lambda: stack.received(CLICK_ID) and stack.received(f"{CLICK_ID}2"))


def _go_wrong_at_the_door(stack: LocalStack) -> None:
    """Forged, junk, to nobody, and in a URL: all with the phone and the click id in it."""
    ad = Sample("whapi", phone=PHONE, click_id=f"{CLICK_ID}3")
    key, address = stack.channel("demo-whapi").key, stack.record.addresses["receiver"]
    for path, status in ((key, 401), ("0" * 32, 404)):
        posted = stack.request("POST", f"{address}/webhooks/{path}", ad.body)
        assert posted.status_code == status
    stack.request("POST", f"{address}/webhooks/{key}?phone={PHONE}&ctwa_clid={CLICK_ID}", ad.body)
    assert stack.post("demo-whapi", ad.body[: len(ad.body) * 3 // 4]) == 200
    wait_until(lambda: stack.rows("select 1 from webhooks where state = 'rejected'"))


def _go_wrong_at_meta(stack: LocalStack, kept: dict[str, str]) -> None:
    """A click id that Meta refuses, an answer that never comes, and a token that has expired."""
    stack.sandbox("POST", "config", {"click_ids": {"bad": [BAD_CLICK_ID]}})
    refused = Sample("whapi", phone=PHONE, click_id=BAD_CLICK_ID)
    stack.post("demo-whapi", refused.body)
    wait_until(lambda: (stack.delivery(refused.message_id) or ("",))[0] == "rejected")

    stack.sandbox("POST", "faults", {"kind": "http_502_empty", "times": 1})
    lost = Sample("whapi", phone=PHONE, click_id=f"{CLICK_ID}4")
    stack.post("demo-whapi", lost.body)
    wait_until(lambda: stack.sandbox("GET", "requests?fault=http_502_empty")["matching"])

    token = kept[DATASETS[0].token]
    stack.sandbox("POST", "config", {"tokens": [{"token": token, "state": "expired"}]})
    paused = Sample("whapi", phone=PHONE, click_id=f"{CLICK_ID}5")
    stack.post("demo-whapi", paused.body)
    wait_until(lambda: stack.rows("select 1 from datasets where pause_reason = 'token'"))
    wait_until(stack.has_read_all)


def test_the_logs_hold_none_of_them(run: tuple[LocalStack, list[str]]):
    stack, planted = run
    logs = {path.name: path.read_text(errors="replace") for path in (stack.state_dir / "logs").iterdir()}
    assert {"receiver.log", "intake.log", "sending.log", "sweeper.log", "sandbox.log", "postgres.log"} <= set(logs)
    # The run was told of, so there is something to grep.
    assert "webhook refused" in logs["receiver.log"]
    assert "verdict" in logs["sending.log"]
    _assert_clean(logs, planted)


def test_redis_holds_none_of_them(run: tuple[LocalStack, list[str]]):
    stack, planted = run
    with redis.Redis.from_url(stack.record.redis_url) as client:
        contents = {key.decode(): repr(client.dump(key)) for key in client.scan_iter()}
    log = b"".join(path.read_bytes() for path in (stack.state_dir / "valkey" / "appendonlydir").iterdir())
    text = log.decode("latin-1")
    assert "intake.drain" in text
    _assert_clean({**contents, "everything that was ever queued": text}, planted)
    _assert_clean({"bodies of messages": " ".join(_decoded(text))}, planted)


def test_metrics_and_flower_show_none_of_them(run: tuple[LocalStack, list[str]]):
    stack, planted = run
    pages = {name: stack.get(url).text for name, url in stack.record.urls.items() if name.endswith(" metrics")}
    pages |= {f"flower/{path}": stack.flower(path).text for path in ("api/tasks", "tasks", "metrics", "broker")}
    assert "intake.drain" in pages["flower/api/tasks"]
    _assert_clean(pages, planted)


def test_no_command_line_holds_a_secret_of_the_stack(run: tuple[LocalStack, list[str]]):
    stack, planted = run
    kept = json.loads((stack.state_dir / "secrets.json").read_text())
    passwords = [(stack.state_dir / name).read_text() for name in ("postgres.password", "valkey/valkey.password")]
    lines = {p.name: Path(f"/proc/{p.pid}/cmdline").read_text() for p in stack.record.processes}
    _assert_clean(lines, [*planted, *kept.values(), *passwords])


def test_the_commands_print_none_of_them_unless_asked(run: tuple[LocalStack, list[str]]):
    stack, planted = run
    printed = {}
    ids = [str(number) for (number,) in stack.rows("select max(id) from deliveries group by state")]
    asked = [("deliveries",), ("webhooks",), ("channels", "list"), ("datasets", "list"), ("credentials", "list")]
    for arguments in [*asked, *(("delivery", number) for number in ids), ("delivery", ids[0], "--json"), ("status",)]:
        done = ctwa("--state-dir", str(stack.state_dir), *arguments)
        printed[" ".join(arguments)] = done.stdout + done.stderr
    assert "rejected" in printed["deliveries"]
    _assert_clean(printed, planted)


def test_the_tables_that_are_read_aloud_hold_none_of_them(run: tuple[LocalStack, list[str]]):
    stack, planted = run
    tables = ("capi_requests", "attempts", "deliveries", "conversions", "messages", "webhooks", "audit_log")
    contents = {table: str(stack.rows(f"select to_jsonb(t)::text from {table} t")) for table in tables}
    _assert_clean(contents, planted)


def _assert_clean(texts: dict[str, str], planted: list[str]) -> None:
    found = [(name, number) for name, text in texts.items() for number, secret in enumerate(planted) if secret in text]
    assert not found, f"(where, which of the planted): {found}"


def _decoded(text: str) -> Iterator[str]:
    """The bodies of Celery's messages, which travel in base64."""
    for piece in text.split('"body": "')[1:]:
        yield base64.b64decode(piece.partition('"')[0]).decode(errors="replace")
