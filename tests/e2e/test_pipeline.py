"""The whole way of a webhook through the processes of one stack."""

from pathlib import Path

import pytest

from console.stack.seed import DATASETS
from tests.e2e.local_stack import LocalStack, Sample, ctwa, wait_until

pytestmark = pytest.mark.timeout(300)

META_ID = {dataset.name: dataset.meta_id for dataset in DATASETS}
WABA_ID = {dataset.name: dataset.waba_id for dataset in DATASETS}


def test_the_same_webhook_a_hundred_times_at_once_makes_one_lead(stack: LocalStack):
    ad = Sample("whapi")
    assert stack.post_at_once("demo-whapi", [ad.body] * 100) == [200] * 100
    wait_until(stack.is_idle)
    wait_until(lambda: stack.delivery(ad.message_id) == ("accepted", None))
    (event,) = stack.received(ad.click_id)
    assert (event["event_name"], event["event_id"]) == ("LeadSubmitted", ad.token)
    assert stack.rows("select count(*) from messages where message_id = %s", ad.message_id) == [(1,)]


def test_an_organic_message_reaches_the_sandbox_never(stack: LocalStack):
    organic, ad = Sample("whapi", "organic"), Sample("whapi")
    wait_until(stack.is_idle)
    before = stack.sandbox("GET", "requests")["totals"]["requests"]
    assert stack.post("demo-whapi", organic.body) == 200
    wait_until(lambda: stack.rows("select class from messages where message_id = %s", organic.message_id))
    # An ad that came later went the whole way, so nothing of the earlier message is still on its way.
    assert stack.post("demo-whapi", ad.body) == 200
    wait_until(lambda: stack.received(ad.click_id))
    wait_until(stack.is_idle)
    assert stack.sandbox("GET", "requests")["totals"]["requests"] == before + 1
    assert stack.delivery(organic.message_id) is None
    assert organic.click_id is None


def test_each_channels_event_goes_to_its_dataset_with_its_account(stack: LocalStack):
    ads = {"demo-whapi": Sample("whapi"), "demo-meta_cloud": Sample("meta_cloud")}
    for name, ad in ads.items():
        assert stack.post(name, ad.body) == 200
    for name, dataset in (("demo-whapi", "demo-one"), ("demo-meta_cloud", "demo-two")):
        (event,) = wait_until(lambda click=ads[name].click_id: stack.received(click))
        assert event["dataset"] == META_ID[dataset]
        assert event["event"]["user_data"]["whatsapp_business_account_id"] == WABA_ID[dataset]
    assert WABA_ID["demo-one"] != WABA_ID["demo-two"]


def test_a_dataset_by_the_guide_gets_the_guides_recipe_to_the_letter(stack: LocalStack):
    ad = Sample("whapi")
    assert stack.post("demo-guide", ad.body) == 200
    (received,) = wait_until(lambda: stack.received(ad.click_id))
    event = received["event"]
    assert received["dataset"] == META_ID["demo-guide"]
    assert isinstance(event.pop("event_time"), int)
    assert event == {
        "event_name": "Lead",
        "event_id": ad.token,
        "action_source": "business_messaging",
        "user_data": {"ctwa_clid": ad.click_id},
    }


def test_flower_shows_our_tasks_by_name_and_only_to_who_knows_the_password(stack: LocalStack):
    stack.post("demo-whapi", Sample("whapi").body)

    def shown() -> set[str]:
        return {task["name"] for task in stack.flower("api/tasks").json().values()}

    wait_until(lambda: {"intake.drain", "sending.drain"} <= shown())
    for task in stack.flower("api/tasks").json().values():
        assert (task["args"], task["kwargs"]) == ("()", "{}")
        assert task.get("worker") in (None, f"intake@{_host()}", f"sending@{_host()}")
    queues = stack.flower("api/queues/length").json()["active_queues"]
    assert [queue["name"] for queue in queues] == ["intake", "sending", "upkeep"]
    assert stack.get(f"{stack.record.urls['flower']}api/tasks").status_code == 401
    assert stack.get(stack.record.urls["flower"]).status_code == 401


def test_every_process_serves_its_metrics(stack: LocalStack):
    ad = Sample("whapi")
    stack.post("demo-whapi", ad.body)
    wait_until(lambda: stack.received(ad.click_id))
    expected = {
        "receiver": 'ctwa_webhooks_acknowledged_total{provider="whapi",sink="postgres"}',
        "intake": 'ctwa_messages_total{message_class="ad"}',
        "sending": 'ctwa_deliveries_settled_total{state="accepted"}',
        "sweeper": 'ctwa_backlog{work="intake"}',
        "beat": "python_info",
    }
    assert {f"{name} metrics" for name in expected} == {n for n in stack.record.urls if n.endswith(" metrics")}
    for name, metric in expected.items():
        url = stack.record.urls[f"{name} metrics"]
        wait_until(lambda url=url, metric=metric: metric in stack.get(url).text, what=f"{metric} of {name}")


def test_the_logs_follow_a_webhook_and_its_delivery_through_the_processes(stack: LocalStack):
    ad = Sample("whapi")
    stack.post("demo-whapi", ad.body)
    wait_until(lambda: stack.delivery(ad.message_id) == ("accepted", None))
    ((webhook_id,),) = stack.rows("select webhook_id::text from messages where message_id = %s", ad.message_id)
    ((delivery_id,),) = stack.rows(
        "select d.id from deliveries d join conversions c on c.id = d.conversion_id"
        " join touchpoints t on t.id = c.touchpoint_id where t.click_id = %s",
        ad.click_id,
    )
    for name in ("receiver", "intake"):
        assert any(webhook_id in line["webhook_ids"] for line in stack.log_lines(name) if "webhook_ids" in line), name
    sent = [line for line in stack.log_lines("sending") if delivery_id in line.get("delivery_ids", ())]
    assert [(line["event"], line["verdict"]) for line in sent] == [("events posted", "accepted")]


def test_no_process_holds_keys_that_it_does_not_need(stack: LocalStack):
    keys = {"TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS"}
    expected = {
        "receiver": {"SECRET_KEYS"},
        **dict.fromkeys(("intake", "sending", "sweeper", "console"), keys),
    }
    for process in stack.record.processes:
        environ = Path(f"/proc/{process.pid}/environ").read_bytes().decode(errors="replace").split("\0")
        names = {entry.partition("=")[0] for entry in environ}
        assert names & keys == expected.get(process.name, set()), process.name


def test_each_process_logs_in_with_its_own_role(stack: LocalStack):
    def roles() -> set[tuple[str, str]]:
        names = "select application_name, usename from pg_stat_activity where application_name like 'ctwa-%%'"
        return {(name.split("-")[1], role) for name, role in stack.rows(names)}

    def each_is_seen() -> bool:  # A process gives back a connection that it did not need for a minute.
        stack.post("demo-whapi", Sample("whapi").body)
        assert stack.get(f"{stack.record.urls['console'].rstrip('/')}/readyz").ok
        return len({process for process, _ in roles()}) >= 4

    wait_until(each_is_seen)
    assert roles() == {
        ("receiver", "ctwa_receiver"),
        ("worker", "ctwa_worker"),
        ("sweeper", "ctwa_worker"),
        ("console", "ctwa_console"),
    }


def test_the_commands_use_the_stack_and_tell_what_became_of_a_sample(stack: LocalStack):
    ad = Sample("whapi")
    stack.post("demo-whapi", ad.body)
    wait_until(lambda: stack.delivery(ad.message_id) == ("accepted", None))
    assert "accepted" in stack.ctwa("deliveries", "--limit", "1")
    told = stack.ctwa("delivery", ad.message_id)
    assert "demo-one" in told
    assert ad.click_id not in told
    assert "All is well" in stack.ctwa("status")


def test_a_second_up_says_that_the_stack_runs_and_where(stack: LocalStack):
    done = ctwa("up", "--detach", "--state-dir", str(stack.state_dir))
    assert done.returncode == 0
    assert f"runs already (process {stack.record.pid})" in done.stderr
    assert stack.record.addresses["receiver"] in done.stdout


def _host() -> str:
    return Path("/proc/sys/kernel/hostname").read_text().strip()
