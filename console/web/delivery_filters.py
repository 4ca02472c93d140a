"""Which deliveries a page is about, as the address or the form says it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from flask import request

from console.web.access import membership
from console.web.own import only_tests, own_channels, own_datasets
from shared.db.channels import Channel
from shared.db.datasets import Dataset
from shared.db.results import DeliveryFilter, delivery_ids_of
from shared.domain.deliveries import State

#: What may be asked for as `since`; None is everything.
PERIODS: dict[str, timedelta | None] = {
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "all": None,
}
_USUALLY = "7d"
#: No row has it: a search that finds nothing must not mean everything.
_NO_ID = 0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for: the filter itself, and the words of it as they go into addresses and forms."""

    which: DeliveryFilter
    #: Name -> value, without what is as usual.
    arguments: dict[str, Any]
    since: datetime | None
    period: str
    with_test: bool
    channels: list[Channel]
    datasets: list[Dataset]

    def but(self, **changes: str | None) -> dict[str, Any]:
        """The arguments of a link that asks for the same but for this; None asks for all of it."""
        changed: dict[str, Any] = {**self.arguments, **changes}
        return {name: value for name, value in changed.items() if value}


def asked(conn: psycopg.Connection[Any]) -> Asked:
    """What this request asks for. What can't be understood is as if it weren't said."""
    given = {name: request.values.get(name, "").strip()[:200] for name in _NAMES}
    channels, datasets = own_channels(conn), own_datasets(conn)
    channel = next((one for one in channels if str(one.id) == given["channel"]), None)
    dataset = next((one for one in datasets if str(one.id) == given["dataset"]), None)
    # Several states, as some figures count them, stand with commas between them.
    states = [state for state in State if state in given["state"].split(",")]
    period = given["since"] if given["since"] in PERIODS else _USUALLY
    with_test = given["test"] == "1" or only_tests(conn, channels)
    ago = PERIODS[period]
    since = datetime.now(UTC) - ago if ago else None
    tried = given["tried"] in ("0", "1") and states == [State.PENDING]
    workspace = membership().workspace
    which = DeliveryFilter(
        workspace=workspace,
        ids=(delivery_ids_of(conn, workspace, given["search"]) or [_NO_ID]) if given["search"] else (),
        states=states,
        tried=given["tried"] == "1" if tried else None,
        reason=given["reason"] or None,
        event_name=given["event"] or None,
        dataset_id=dataset.id if dataset else None,
        channel_id=channel.id if channel else None,
        # Whoever has an id wants that row, however old and whether it is a test.
        since=None if given["search"] else since,
        test=None if with_test or given["search"] else False,
    )
    said = {
        **given,
        "state": ",".join(states),
        "tried": given["tried"] if tried else "",
        "since": "" if period == _USUALLY else period,
        "channel": str(channel.id) if channel else "",
        "dataset": str(dataset.id) if dataset else "",
        "test": "1" if given["test"] == "1" else "",
    }
    return Asked(
        which=which,
        arguments={name: value for name, value in said.items() if value},
        since=since,
        period=period,
        with_test=with_test,
        channels=channels,
        datasets=datasets,
    )


_NAMES = ("state", "tried", "reason", "dataset", "channel", "event", "since", "search", "test")
