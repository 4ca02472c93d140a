"""A Graph API that refuses, hangs, lies or breaks off, once and for a while."""

import time
from collections.abc import Callable

from shared.crypto import KeyRing
from shared.db.credentials import save_credential
from shared.db.datasets import resume_dataset
from tests.faults.audit import Expected
from tests.faults.proxy import PASS, Link
from tests.faults.run import Run
from tests.faults.table import scenario
from tests.faults.wait import wait_until

#: Each strikes one call. Those that hang do so for a moment: the long hang has a scenario of its own.
_ONCE = (
    "unknown_error", "service_unavailable", "graph_500", "throttle_app", "throttle_user", "throttle_custom",
    "throttle_business", "http_429", "http_408", "http_502_empty", "http_503_html", "received_zero", "received_short",
    "ok_not_json", "ok_empty", "ok_without_messages", "auto_upgrade", "localised_error", "error_data_string",
    "redirect", "huge_answer", "reset_before_reading", "commit_then_drop", "commit_then_reset", "commit_then_504",
    "half_body",
)  # fmt: skip
_BRIEFLY = ("hang_before_reading", "commit_then_hang", "trickle")
#: For a while, at every call: name, options of the sandbox.
_FOR_A_WHILE: dict[str, dict[str, object]] = {
    "reset_before_reading": {},
    "commit_then_drop": {},
    "commit_then_reset": {},
    "commit_then_504": {},
    "half_body": {},
    "trickle": {"delay": 2},
    "service_unavailable": {},
    "graph_500": {},
    "unknown_error": {},
    "http_429": {"retry_after": 2},
    "throttle_business": {},
    "http_503_html": {},
    "ok_not_json": {},
    "ok_empty": {},
    "received_zero": {},
    "received_short": {},
}
#: After these Meta may have the events: unknown outcomes are what must be seen.
_UNKNOWN = frozenset(
    ("reset_before_reading", "commit_then_drop", "commit_then_reset", "commit_then_504", "half_body", "http_503_html",
     "ok_not_json", "ok_empty", "received_short")
)  # fmt: skip


def resume(run: Run) -> list[str]:
    """Ends all pauses, as a person does who has mended the cause; the reasons they had."""
    paused = run.rows("select id, pause_reason from datasets where pause_reason is not null")
    with run.connection() as conn:
        for row in paused:
            resume_dataset(conn, row["id"])
    return sorted({row["pause_reason"] for row in paused})


def _mend(run: Run, seconds: float = 60.0) -> list[str]:
    """Takes the faults away and resumes what they had paused, until all is done; the reasons of the pauses."""
    run.servers.sandbox("DELETE", "faults")
    reasons: set[str] = set()

    def done() -> bool:
        reasons.update(resume(run))
        return run.is_idle()

    run.drain(seconds, until=done)
    return sorted(reasons)


def _play(kind: str, options: dict[str, object]) -> Callable[[Run], str]:
    def play(run: Run) -> str:
        run.start()
        with run.loaded(rate=25):
            time.sleep(2)
            run.fault(kind, **options)
            ends = time.monotonic() + 8
            while time.monotonic() < ends:
                time.sleep(0.5)
                run.hasten()
            run.servers.sandbox("DELETE", "faults")
            time.sleep(1)
        struck = run.fired()[kind]
        run.require(struck, "no call met the fault")
        reasons = _mend(run)
        unknown = run.count("select count(distinct delivery_id) from attempts where outcome in ('no_answer', 'resend')")
        run.require(unknown or kind not in _UNKNOWN, "nothing became unknown")
        paused = f", paused for {', '.join(reasons)}" if reasons else ""
        return f"{struck} calls struck{paused}"

    play.__doc__ = f"The sandbox's {kind} at every call for 8 s."
    return play


for _kind, _options in _FOR_A_WHILE.items():
    scenario(f"meta-{_kind.replace('_', '-')}", quick=_kind == "commit_then_drop")(_play(_kind, _options))


@scenario("meta-each-once")
def meta_each_once(run: Run) -> str:
    """Every fault of the sandbox once, one after the other."""
    run.start()
    with run.loaded():
        for kind in _ONCE:
            run.fault(kind, times=1)
        for kind in _BRIEFLY:
            run.fault(kind, times=1, delay=3)
        wait_until("all have struck", lambda: _hastened(run, _ONCE + _BRIEFLY), seconds=40, every=0.3)
    reasons = _mend(run)
    # Two of the faults say of an event that it is bad, and are believed where it was alone in its request.
    run.expected = Expected(rejected=run.names("d.reason in ('meta_100_2804001', 'meta_100_2804003')"))
    return f"{len(_ONCE + _BRIEFLY)} kinds, paused for {', '.join(reasons) or 'nothing'}"


@scenario("meta-refused")
def meta_refused(run: Run) -> str:
    """Nobody listens at the Graph's address for 8 s: surely not sent, and nothing unknown."""
    run.start()
    with run.loaded():
        time.sleep(2)
        run.servers.graph_link.set(Link(refuse=True))
        ends = time.monotonic() + 8
        while time.monotonic() < ends:
            time.sleep(0.5)
            run.hasten()
        run.servers.graph_link.set(PASS)
        time.sleep(1)
    not_sent = run.count("select count(*) from capi_requests where verdict = 'not_sent'")
    run.require(not_sent, "every request was sent")
    run.drain()
    return f"{not_sent} requests were not sent"


@scenario("meta-connection-cut")
def meta_connection_cut(run: Run) -> str:
    """The network ends connections when the answer is under way: Meta has the events, and we can't know."""
    run.start()
    with run.loaded():
        time.sleep(2)
        run.servers.graph_link.set(Link(reset_after=0))
        time.sleep(5)
        run.servers.graph_link.set(PASS)
        time.sleep(1)
    run.require(run.servers.graph_link.struck, "nothing was cut")
    run.drain()
    return f"{run.servers.graph_link.struck} connections cut"


@scenario("meta-hang", environ={"SENDING_LEASE_SECONDS": "40"})
def meta_hang(run: Run) -> str:
    """Requests hang before anything is read, until our own deadline."""
    run.start()
    with run.loaded(rate=20):
        time.sleep(2)
        run.fault("hang_before_reading", delay=60)
        time.sleep(18)
        run.servers.sandbox("DELETE", "faults")
    unknown = run.count("select count(*) from capi_requests where verdict = 'unknown'")
    run.require(unknown, "no request reached its deadline")
    _mend(run)
    return f"{unknown} requests reached their deadline"


@scenario("meta-late-answer")
def meta_late_answer(run: Run) -> str:
    """The answer comes after the lease has run out, and settles what had become unknown."""
    run.start()
    # Held, so that nothing is sent again before the answer comes.
    run.execute("""update datasets set unknown_policy = '{"Lead": "hold"}'""")
    with run.loaded(rate=20):
        time.sleep(2)
        run.fault("commit_then_hang", delay=10, times=3)
        wait_until("something is unknown", lambda: _unknown_now(run), seconds=20)
        unknown = _unknown_now(run)
        wait_until("the late answer has settled it", lambda: _unknown_now(run) == 0, seconds=20)
    run.drain()
    return f"{unknown} deliveries were unknown until their answer came"


@scenario("meta-token-expired")
def meta_token_expired(run: Run) -> str:
    """190 for 8 s, then a new token: the dataset pauses, nothing is rejected, and it goes on."""
    run.start()
    target = run.servers.targets[0]
    fresh = f"{target.token}new"
    with run.loaded():
        time.sleep(2)
        run.servers.sandbox("POST", "config", {"tokens": [{"token": target.token, "state": "expired"}]})
        wait_until("the dataset is paused", lambda: _paused_for(run, "token"))
        calls = _calls(run, target.meta_id)
        time.sleep(6)
        tried = _calls(run, target.meta_id) - calls
        run.servers.sandbox("POST", "config", {"tokens": [{"token": fresh, "datasets": [target.meta_id]}]})
        ring = KeyRing(run.servers.keys["TOKEN_KEYS"].split(","), name="TOKEN_KEYS")
        with run.connection() as conn:
            save_credential(conn, target.name, ring.seal(fresh.encode()))
        reasons = resume(run)
    run.drain()
    assert tried <= 2, f"{tried} requests were made while the token was known to be expired"
    return f"paused for {', '.join(reasons)}, {tried} requests meanwhile"


@scenario("meta-wrong-link")
def meta_wrong_link(run: Run) -> str:
    """100/2804132 at every call: the set-up is wrong, so the dataset pauses and no event is rejected."""
    return _all_alike(run, code=100, subcode=2804132, status=400)


@scenario("meta-all-alike")
def meta_all_alike(run: Run) -> str:
    """An unknown code refuses everything alike: held as a fault of the set-up, not rejected one by one."""
    return _all_alike(run, code=100, subcode=2804999, status=400)


@scenario("meta-aged")
def meta_aged(run: Run) -> str:
    """Purchases pass the age of 6 d 12 h while their dataset is paused: expired, and the others are taken."""
    run.start()
    run.execute(
        "update datasets set pause_reason = 'by_hand', paused_at = now(), paused_until = '9999-12-31' where id = 1"
    )
    with run.loaded():
        row = run.rows("select now() - interval '6 days 12 hours' + interval '6 seconds' as at")[0]
        old = run.buy(10, at=row["at"])
        time.sleep(9)
        run.expected = Expected(expired=frozenset(old))
        resume(run)
    run.drain()
    expired = run.count("select count(*) from deliveries where state = 'expired'")
    run.require(expired, "nothing aged")
    return f"{expired} expired, no request refused for their age"


def _all_alike(run: Run, **error: object) -> str:
    """Both datasets have a backlog when it begins: one event alone would be believed to be bad, if the code is new."""
    run.start("receiver", "intake", "sweeper", "beat")
    run.fault("graph_error", **error)
    with run.loaded():
        wait_until("both datasets have a backlog", lambda: _backlogs(run) == 2)
        run.start("sending")
        wait_until("both datasets are paused", lambda: _paused_for(run, "link") == 2)
        time.sleep(2)
        struck = run.fired()["graph_error"]
        rejected = run.count("select count(*) from deliveries where state = 'rejected'")
        assert rejected == 0, f"{rejected} events were rejected for a fault of the set-up"
        run.servers.sandbox("DELETE", "faults")
    _mend(run)
    return f"{struck} calls refused, none rejected"


def _backlogs(run: Run) -> int:
    """How many datasets have twenty events waiting."""
    return run.count(
        "select count(*) from (select from deliveries where state = 'pending' group by dataset_id"
        " having count(*) > 20) d"
    )


def _paused_for(run: Run, reason: str) -> int:
    return run.count("select count(*) from datasets where pause_reason = %s", reason)


def _calls(run: Run, dataset: str) -> int:
    return int(run.servers.sandbox("GET", "requests", dataset=dataset, limit=0)["matching"])


def _unknown_now(run: Run) -> int:
    return run.count("select count(*) from deliveries where state = 'unknown'")


def _hastened(run: Run, kinds: tuple[str, ...]) -> bool:
    run.hasten()
    resume(run)
    return set(kinds) <= set(run.fired())
