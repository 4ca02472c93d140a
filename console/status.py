"""Whether all is well: what is up, what waits, what is stopped, and what to do about it."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg

from console.alerts import described
from console.setup.datasets import explained_pause, test_mode_of
from shared.capi.payload import dataset_problem
from shared.capi.versions import VersionState, check_version
from shared.db.alerts import list_alerts
from shared.db.channels import all_channels
from shared.db.datasets import Dataset, all_datasets, profile_of
from shared.db.deliveries import counts_by_state, delivery_backlog
from shared.db.heartbeats import heartbeats
from shared.db.results import (
    count_rejected_webhooks,
    duplicates_stopped,
    expiring_deliveries,
    unknown_deliveries,
)
from shared.db.webhooks import webhook_backlog
from shared.domain.deliveries import EXPIRES_AFTER
from shared.domain.reasons import explain

#: The sweeper reports every two seconds.
SWEEPER_SECONDS = 30
#: Work that waits this long waits for somebody.
WEBHOOK_SECONDS = 60
DELIVERY_SECONDS = 300
REJECTED_WITHIN = timedelta(days=1)
DUPLICATES_WITHIN = timedelta(days=1)
#: What is held is warned of so long before it is too old for Meta.
EXPIRY_WARNING = timedelta(hours=24)


#: The others are seen here from the tables themselves, and at once.
_TOLD_BY_ALERTS_ONLY = frozenset(
    {"failed", "token_invalid", "token_expiring", "no_ad_conversations", "click_id_fall", "unknown_code"}
    | {"currency_mismatch"}
)


def look(conn: psycopg.Connection[Any], *, sending: str) -> dict[str, Any]:
    """What the database knows of the state of things, JSON-ready. Deliveries leave test rows out.

    `sending` is the switch over all datasets.
    """
    datasets, channels = all_datasets(conn), all_channels(conn)
    counts = counts_by_state(conn)
    states = {state: _sum(counts, state) for state in sorted({row["state"] for row in counts if not row["is_test"]})}
    return {
        "processes": [beat.__dict__ for beat in heartbeats(conn)],
        "backlog": {"webhooks": webhook_backlog(conn).__dict__, "deliveries": delivery_backlog(conn).__dict__},
        "deliveries": states,
        "test_deliveries": sum(row["count"] for row in counts if row["is_test"]),
        "unknown": unknown_deliveries(conn).__dict__,
        "expiring": [
            one.__dict__
            for one in expiring_deliveries(
                conn, expires_after=EXPIRES_AFTER, within=EXPIRY_WARNING, all_held=sending != "on"
            )
        ],
        "duplicates_stopped": duplicates_stopped(conn, within=DUPLICATES_WITHIN),
        "rejected_webhooks": count_rejected_webhooks(conn, within=REJECTED_WITHIN),
        "paused_datasets": [{"name": one.name, **pause} for one in datasets if (pause := explained_pause(one))],
        "unready_datasets": [{"name": one.name, **why} for one in datasets if (why := _unready(one))],
        "failed_probes": [{"name": one.name, **why} for one in datasets if (why := _failed_probe(one))],
        "test_modes": [{"name": one.name, **mode} for one in datasets if (mode := test_mode_of(one))],
        "alerts": [described(alert) for alert in list_alerts(conn)],
        "unsigned_channels": [channel.name for channel in channels if channel.unsigned and channel.enabled],
    }


def look_at_spool(folder: Path) -> dict[str, int]:
    """How many bytes of acknowledged webhooks wait on this host's disk, and how many files were set aside."""
    files = list(folder.iterdir()) if folder.is_dir() else []
    return {
        "bytes": sum(file.stat().st_size for file in files if file.suffix == ".spool"),
        "set_aside": sum(file.suffix in (".damaged", ".refused") for file in files),
    }


def look_at_version(version: str, today: date) -> dict[str, str]:
    """How the configured Graph version stands: {version, state, text}."""
    check = check_version(version, today)
    return {"version": version, "state": check.state.value, "text": check.text}


def problems(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """What needs attention in a report: a list of {what, next_step}, the worst first. Pure."""
    found: list[tuple[str, str]] = []
    if report["sending"] != "on":
        found.append(
            (f"Sending is {report['sending']} for every dataset (SENDING).", "Set SENDING=on and restart the workers.")
        )
    if report["redis"] == "away":
        found.append(("Redis can't be reached.", "Start it; until then the sweeper does the work, only slower."))
    found += _process_problems(report["processes"])
    found += _backlog_problems(report["backlog"])
    found += [
        (f"Dataset {one['name']} is paused: {one['words']}", one["next_step"]) for one in report["paused_datasets"]
    ]
    found += [
        (f"Dataset {one['name']} can't send: {one['words']}", one["next_step"]) for one in report["unready_datasets"]
    ]
    found += [
        (f"The last probe of dataset {one['name']} failed: {one['words']}", one["next_step"])
        for one in report["failed_probes"]
    ]
    found += [
        (f"Dataset {one['name']} is in {one['words']} Until {one['until']:%Y-%m-%d %H:%M} UTC.", one["next_step"])
        for one in report["test_modes"]
    ]
    found += _delivery_problems(report)
    found += [
        (f"{one['words']} (Alert {one['id']}.)", one["next_step"])
        for one in report["alerts"]
        if one["state"] == "open" and one["kind"] in _TOLD_BY_ALERTS_ONLY
    ]
    if rejected := report["rejected_webhooks"]:
        found.append(
            (f"{rejected} webhooks of the last day could not be read.", "See why: ctwa webhooks --state rejected")
        )
    if report["spool"]["bytes"]:
        found.append(
            (
                f"{report['spool']['bytes']} bytes of acknowledged webhooks wait on this host's disk.",
                "Nothing, if Postgres was away a moment ago: a receiver drains them. Else start one on this host.",
            )
        )
    if report["spool"]["set_aside"]:
        found.append(
            (
                f"{report['spool']['set_aside']} spool files were set aside as damaged or refused.",
                "See docs/operations.md before you delete them: they hold acknowledged webhooks.",
            )
        )
    if report["graph"]["state"] != VersionState.OK.value:
        found.append((report["graph"]["text"], "Set GRAPH_VERSION for every process, then restart them."))
    return [{"what": what, "next_step": next_step} for what, next_step in found]


def _delivery_problems(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [
        (
            f"{one['count']} deliveries held for {one['dataset']} expire from {one['soonest']:%Y-%m-%d %H:%M} UTC on.",
            f"Let it send: ctwa datasets show {one['dataset']} says what it waits for.",
        )
        for one in report["expiring"]
    ]
    if unknown := report["unknown"]["count"]:
        hours = report["unknown"]["oldest_seconds"] / 3600
        found.append(
            (
                f"{unknown} deliveries have an unknown outcome, the oldest for {hours:.1f} h: Meta may have them.",
                "Compare with Events Manager (ctwa deliveries --status unknown), then: ctwa deliveries resolve ID…",
            )
        )
    return found


def _process_problems(processes: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    seconds = min((one["seconds_ago"] for one in processes if one["process"].startswith("sweeper")), default=None)
    if seconds is None:
        return [("No sweeper has ever run on this database.", "Start the workers and a sweeper.")]
    if seconds > SWEEPER_SECONDS:
        return [(f"The sweeper was last seen {int(seconds)} s ago.", "Start it, or look at its log.")]
    return []


def _backlog_problems(backlog: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    found = []
    for kind, longest, worker in (
        ("webhooks", WEBHOOK_SECONDS, "intake"),
        ("deliveries", DELIVERY_SECONDS, "sending"),
    ):
        waiting, oldest = backlog[kind]["waiting"], backlog[kind]["oldest_seconds"]
        if waiting and oldest > longest:
            found.append((f"{waiting} {kind} wait, the oldest for {int(oldest)} s.", f"Is a {worker} worker running?"))
    return found


def _unready(dataset: Dataset) -> dict[str, str] | None:
    """Why a dataset that is to send would stop at its first event; None if nothing is known against it."""
    if dataset.sending == "off" or dataset.pause_reason:
        return None
    if dataset.credential_id is None:
        return {
            "reason": "no_credential",
            "words": "it has no Meta token.",
            "next_step": f"Give it one: ctwa datasets set {dataset.name} --credential NAME",
        }
    code = dataset_problem(profile_of(dataset))
    return None if code is None else _explained(code)


def _failed_probe(dataset: Dataset) -> dict[str, str] | None:
    """What the last probe showed; None if it was fine, or if the pause or the set-up says the same already."""
    if dataset.probe_result in (None, "ok") or dataset.pause_reason or _unready(dataset) or dataset.sending == "off":
        return None
    return _explained(str(dataset.probe_result))


def _explained(code: str) -> dict[str, str]:
    reason = explain(code)
    return {"reason": code, "words": reason.words, "next_step": reason.next_step}


def _sum(counts: Sequence[Mapping[str, Any]], state: str) -> int:
    return sum(row["count"] for row in counts if row["state"] == state and not row["is_test"])
