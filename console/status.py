"""Whether all is well: what is up, what waits, what is stopped, and what to do about it."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import psycopg

from console.setup.datasets import explained_pause
from shared.capi.payload import DatasetProfile, dataset_problem
from shared.capi.versions import VersionState, check_version
from shared.db.channels import all_channels
from shared.db.datasets import Dataset, all_datasets
from shared.db.deliveries import counts_by_state, delivery_backlog
from shared.db.heartbeats import heartbeats
from shared.db.results import count_rejected_webhooks
from shared.db.webhooks import webhook_backlog
from shared.domain.reasons import explain

#: The sweeper reports every two seconds.
SWEEPER_SECONDS = 30
#: Work that waits this long waits for somebody.
WEBHOOK_SECONDS = 60
DELIVERY_SECONDS = 300
REJECTED_WITHIN = timedelta(days=1)


def look(conn: psycopg.Connection[Any]) -> dict[str, Any]:
    """What the database knows of the state of things, JSON-ready. Deliveries leave test rows out."""
    datasets, channels = all_datasets(conn), all_channels(conn)
    counts = counts_by_state(conn)
    states = {state: _sum(counts, state) for state in sorted({row["state"] for row in counts if not row["is_test"]})}
    return {
        "processes": [beat.__dict__ for beat in heartbeats(conn)],
        "backlog": {"webhooks": webhook_backlog(conn).__dict__, "deliveries": delivery_backlog(conn).__dict__},
        "deliveries": states,
        "test_deliveries": sum(row["count"] for row in counts if row["is_test"]),
        "rejected_webhooks": count_rejected_webhooks(conn, within=REJECTED_WITHIN),
        "paused_datasets": [{"name": one.name, **pause} for one in datasets if (pause := explained_pause(one))],
        "unready_datasets": [{"name": one.name, **why} for one in datasets if (why := _unready(one))],
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
    if unknown := report["deliveries"].get("unknown", 0):
        found.append(
            (
                f"{unknown} deliveries have an unknown outcome: Meta may have them or not.",
                "Compare with Events Manager: ctwa deliveries --status unknown",
            )
        )
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
    profile: Literal["whatsapp", "guide"] = "guide" if dataset.profile == "guide" else "whatsapp"
    code = dataset_problem(DatasetProfile(profile=profile, waba_id=dataset.waba_id, page_id=dataset.page_id))
    if code is None:
        return None
    return {"reason": code, "words": explain(code).words, "next_step": explain(code).next_step}


def _sum(counts: Sequence[Mapping[str, Any]], state: str) -> int:
    return sum(row["count"] for row in counts if row["state"] == state and not row["is_test"])
