"""The audit after a scenario: what was acknowledged, what is in the tables, what the sandbox recorded, as sets."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.faults.load import SALE, Ledger, Post, Sale
from tests.faults.servers import CLICK_CANARY, KEY_CANARY, PHONE_CANARY, SECRET_CANARY, TOKEN_CANARY

_CANARIES = re.compile(
    "|".join((TOKEN_CANARY, SECRET_CANARY, KEY_CANARY, CLICK_CANARY, PHONE_CANARY + r"\d{6}")).encode()
)


@dataclass(frozen=True)
class Expected:
    """What a scenario may leave behind, beyond accepted and held. Click ids, and event ids of purchases."""

    rejected: frozenset[str] = frozenset()
    expired: frozenset[str] = frozenset()
    #: Deliveries that still wait at the end, where the scenario is about a pause.
    pending: frozenset[str] = frozenset()
    #: Webhooks that intake rejects: the culprits of a scenario about poison, by message id.
    poisoned: frozenset[str] = frozenset()


@dataclass
class Findings:
    """The numbers of one row of the table. `problems` is what must not be, in words; empty when all is well."""

    acknowledged: int = 0
    accepted: int = 0
    doubled: int = 0
    unknown: int = 0
    held: int = 0
    lost: int = 0
    stall_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Delivery:
    """One row of the results table, named by what the load knows of it: click id, or event id of a purchase."""

    name: str
    event_id: str
    state: str
    reason: str | None
    has_value: bool
    resent: int
    was_unknown: bool


_DELIVERIES = """
select d.event_id, d.state, d.reason, d.has_value, d.resent, t.click_id,
       exists (select from attempts a where a.delivery_id = d.id
               and (a.finished_at is null or a.outcome = 'no_answer')) or d.resent > 0 as was_unknown
from deliveries d join conversions c on c.id = d.conversion_id left join touchpoints t on t.id = c.touchpoint_id
"""


def audit(
    conn: psycopg.Connection[Any],
    *,
    ledger: Ledger,
    purchases: Collection[str],
    received: Sequence[Mapping[str, Any]],
    expected: Expected,
) -> Findings:
    """Compares the three records. `received` is the sandbox's, whatever it answered."""
    acknowledged = ledger.acknowledged
    sold = [sale for sale in ledger.sales if sale.acknowledged_at is not None]
    found = Findings(acknowledged=len(acknowledged) + len(sold) + len(purchases))
    lost = _missing_messages(conn, acknowledged, expected) | _missing_sales(conn, sold, found)
    deliveries = _deliveries(conn, found)
    ads = {post.click_id for post in acknowledged if post.click_id and post.message_id not in expected.poisoned}
    lost |= (ads | set(purchases)) - deliveries.keys()
    times = _times(received)
    for name, delivery in deliveries.items():
        if _is_lost(delivery, times, expected, found):
            lost.add(name)
    known = {delivery.event_id for delivery in deliveries.values()}
    if strangers := times.keys() - known:
        found.problems.append(f"{len(strangers)} events at the sandbox that no delivery stands for")
    _count_states(found, deliveries, times)
    _check_rows(conn, found, ledger, purchases)
    found.lost = len(lost)
    if lost:
        found.problems.append(f"lost: {', '.join(sorted(lost)[:3])} …")
    found.stall_seconds = _longest_stall(acknowledged, deliveries, times)
    return found


def _missing_messages(conn: psycopg.Connection[Any], acknowledged: Sequence[Post], expected: Expected) -> set[str]:
    stored = {row[0] for row in conn.execute("select message_id from messages").fetchall()}
    return {post.message_id for post in acknowledged} - stored - expected.poisoned


def _missing_sales(conn: psycopg.Connection[Any], sold: Sequence[Sale], found: Findings) -> set[str]:
    """The sales that have no conversion with a delivery, and those of which an item that was promised has no end."""
    ends = dict(conn.execute("select id, state from submissions").fetchall())
    rows = conn.execute(
        "select c.order_id, count(distinct c.id), count(d.id) from conversions c"
        " left join deliveries d on d.conversion_id = c.id where c.order_id like %s group by c.order_id",
        [f"{SALE}%"],
    ).fetchall()
    made = {order_id: (conversions, deliveries) for order_id, conversions, deliveries in rows}
    missing = set()
    for sale in sold:
        states = sorted(ends.get(promised, "lost") for promised in sale.promised)
        if "lost" in states or sale.order_id not in made:
            missing.add(sale.order_id)
        # One report of it made the conversion, every other one was found to be the same.
        elif states.count("stored") > 1 or set(states) - {"stored", "duplicate"} or made[sale.order_id] != (1, 1):
            found.problems.append(f"{sale.order_id}: {states}, {made[sale.order_id]} conversions and deliveries")
    return missing


def _deliveries(conn: psycopg.Connection[Any], found: Findings) -> dict[str, Delivery]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_DELIVERIES).fetchall()
    deliveries: dict[str, Delivery] = {}
    for row in rows:
        click_id = row.pop("click_id")
        name = row["event_id"] if row["has_value"] or click_id is None else click_id
        if name in deliveries:
            found.problems.append(f"two deliveries for {name}")
        deliveries[name] = Delivery(name=name, **row)
    return deliveries


def _times(received: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """When the sandbox recorded each event, by event id."""
    times: dict[str, list[float]] = {}
    for event in received:
        times.setdefault(event["event_id"], []).append(seconds_of(event["received_at"]))
    return times


def seconds_of(time: float | str) -> float:
    """A time of the sandbox's in seconds since 1970."""
    return time if isinstance(time, int | float) else datetime.fromisoformat(time).timestamp()


def _is_lost(delivery: Delivery, times: Mapping[str, list[float]], expected: Expected, found: Findings) -> bool:
    """Whether a delivery ended in a way that nobody can defend; notes what else is wrong with it."""
    copies = len(times.get(delivery.event_id, ()))
    if copies > 1 + delivery.resent or (copies > 1 and delivery.has_value):
        found.problems.append(f"{delivery.name} is {copies} times at the sandbox, resent {delivery.resent}")
    match delivery.state:
        case "accepted":
            return copies == 0
        case "unknown":
            return False
        case "rejected" | "expired" | "pending":
            return delivery.name not in getattr(expected, delivery.state)
    return True


def _count_states(found: Findings, deliveries: Mapping[str, Delivery], times: Mapping[str, list[float]]) -> None:
    found.accepted = sum(one.state == "accepted" for one in deliveries.values())
    found.held = sum(one.state == "unknown" for one in deliveries.values())
    found.unknown = sum(one.was_unknown for one in deliveries.values())
    found.doubled = sum(len(times.get(one.event_id, ())) > 1 for one in deliveries.values())


def _check_rows(conn: psycopg.Connection[Any], found: Findings, ledger: Ledger, purchases: Collection[str]) -> None:
    """Nothing is left unread or leased, and there is one delivery for each click and purchase, and no other."""
    for table, state in (("webhooks", "new"), ("webhooks", "claimed"), ("deliveries", "sending")):
        row = conn.execute(f"select count(*) from {table} where state = %s", [state]).fetchone()
        if row is None or row[0]:
            found.problems.append(f"{row} {table} are still {state}")
    clicks = {post.click_id for post in ledger.posts if post.click_id}
    sales = len(purchases) + len(ledger.sales)
    row = conn.execute("select count(*), count(distinct event_id) from deliveries where state <> 'skipped'").fetchone()
    assert row is not None
    if row[0] > len(clicks) + sales or row[0] != row[1]:
        found.problems.append(f"{row[0]} deliveries, {row[1]} event ids for {len(clicks)} clicks, {sales} sales")


def _longest_stall(
    acknowledged: Sequence[Post], deliveries: Mapping[str, Delivery], times: Mapping[str, list[float]]
) -> float:
    """The longest that Meta had to be waited for after an acknowledgement, in seconds."""
    first = {one.name: min(times[one.event_id]) for one in deliveries.values() if one.event_id in times}
    waits = [
        first[post.click_id] - post.acknowledged_at
        for post in acknowledged
        if post.acknowledged_at and post.click_id and post.click_id in first
    ]
    return max(waits, default=0.0)


def canaries_in(logs: Collection[Path]) -> list[str]:
    """Where a log holds a token, a secret, a click id or a phone number."""
    return [
        f"{path.parent.name}/{path.name} holds {count} secrets or personal data, such as …{sample[:80]!r}"
        for path in logs
        if (count := len(hits := _CANARIES.findall(path.read_bytes()))) and (sample := _line(path, hits[0]))
    ]


def _line(path: Path, hit: bytes) -> bytes:
    return next(line for line in path.read_bytes().splitlines() if hit in line)
