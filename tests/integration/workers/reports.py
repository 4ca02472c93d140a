"""What a business reports, stored as intake stores it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.db.pool import server_time
from shared.db.submissions import Reporter
from shared.domain.submissions import Item, Person, SubmittedConversion
from shared.ids import uuid7
from tests.integration.workers.world import World
from workers.submissions import store_submissions
from workers.submitted import Refusal, Submitted

PHONE = "15550100001"
EUR = {"value": Decimal("49.90"), "currency": "EUR"}


def hours_ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


def sale(phone: str | None = PHONE, **said: Any) -> SubmittedConversion:
    """A Purchase of an hour ago, unless said otherwise; `order` is its order id."""
    if "order" in said:
        said["order_id"] = said.pop("order")
    person = said.pop("person", Person(phone=phone))
    facts = {"event_name": "Purchase", "occurred_at": hours_ago(1)}
    return SubmittedConversion(person=person, **{**facts, **said})


def report(
    world: World,
    *items: Item | Refusal,
    path: str = "conversions",
    origin: str = "api",
    workspace: str = "default",
    webhook_id: Any = None,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Stores one request with these items; its submissions, in order."""
    [row] = world.rows("select id from workspaces where name = %s", workspace)
    request = webhook_id or uuid7()
    reporter = Reporter(source="import", source_id=row["id"], workspace=workspace, scopes=(), is_test=False)
    submitted = Submitted(
        webhook_id=request,
        received_at=datetime.now(UTC),
        reporter=reporter,
        path=path,
        items=items,
        origin=origin,
        **{key: value for key, value in changes.items() if key not in ("guarded", "offer")},
    )
    with world.runtime.pool.connection() as conn:
        # What the workers may do is all that it takes.
        conn.execute("set local role ctwa_worker")
        store_submissions(
            conn,
            world.runtime.identities,
            [submitted],
            now=server_time(conn),
            guarded=changes.get("guarded", False),
            offer=changes.get("offer", lambda _conn, _happened: 0),
        )
    return world.rows("select * from submissions where webhook_id = %s order by id", request)


def conversion(world: World, event_name: str = "Purchase") -> dict[str, Any]:
    """The only conversion of this name, with its delivery's state and reason."""
    [row] = world.rows(
        "select c.*, d.state, d.reason, d.has_value, d.batch_cap, d.event_id, d.dataset_id, t.click_id"
        " from conversions c left join deliveries d on d.conversion_id = c.id"
        " left join touchpoints t on t.id = c.touchpoint_id where c.event_name = %s",
        event_name,
    )
    return row
