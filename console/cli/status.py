"""`ctwa status`: whether all is well, and what to do if not."""

import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import click
from redis.exceptions import RedisError

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import plain, print_fields, print_json
from console.errors import UnavailableError
from console.status import look, look_at_spool, look_at_version, problems
from shared.domain.durations import rough
from shared.queue import make_redis


@click.command()
@options.as_json
@session
def status(session: Session, as_json: bool) -> None:
    """Say whether all is well, and what to do if not. Exit code 1 when something needs attention.

    JSON: {ok, problems: [{what, next_step}], version, local_stack, database: ok, sending, redis: ok|away|not set,
    processes: [{process, seconds_ago}], backlog: {webhooks, deliveries: {waiting, oldest_seconds}},
    deliveries: {state: count}, test_deliveries, unknown: {count, oldest_seconds}, expiring: [{dataset, count,
    soonest}], duplicates_stopped: {messages, conversions}, rejected_webhooks, paused_datasets, unready_datasets,
    failed_probes, test_modes, alerts (as ctwa alerts --json), unsigned_channels, graph: {version, state, text},
    spool: {bytes, set_aside}}. Without a usable database: {ok: false, problems, version, database}.
    """
    report: dict[str, Any] = {"ok": False, "problems": [], "version": version("ctwa-attribution")}
    try:
        _fill(session, report)
    except UnavailableError as error:
        report |= {"problems": [{"what": str(error), "next_step": "Mend this first."}], "database": "away"}
    report["ok"] = not report["problems"]
    if as_json:
        print_json(report)
    else:
        _echo(report)
    if not report["ok"]:
        sys.exit(1)


def _fill(session: Session, report: dict[str, Any]) -> None:
    settings = session.settings("DATABASE_URL")
    with session.database() as conn:
        report |= look(conn, sending=settings.sending)
    report["database"] = "ok"
    report["sending"] = settings.sending
    report["redis"] = _redis(settings.redis_url)
    report["local_stack"] = str(session.stack.state_dir) if session.stack else None
    report["graph"] = look_at_version(settings.graph_version, datetime.now(UTC).date())
    report["spool"] = look_at_spool(settings.spool_dir)
    report["problems"] = problems(report)


def _redis(url: str) -> str:
    if not url:
        return "not set"
    try:
        make_redis(url).ping()
    except (RedisError, OSError):
        return "away"
    return "ok"


def _echo(report: dict[str, Any]) -> None:
    fields: dict[str, object] = {"version": report["version"], "database": report["database"]}
    if report["database"] == "ok":
        backlog = report["backlog"]
        fields |= {
            "redis": report["redis"],
            "processes": _joined(f"{one['process']} {rough(one['seconds_ago'])} ago" for one in report["processes"]),
            **{f"{kind} waiting": _waiting(backlog[kind]) for kind in ("webhooks", "deliveries")},
            "deliveries": _joined(f"{count} {state}" for state, count in report["deliveries"].items()),
            "unknown outcomes": _unknown(report["unknown"]),
            "duplicates stopped": _duplicates(report["duplicates_stopped"]),
            "test deliveries": report["test_deliveries"],
            "unsigned channels": _joined(report["unsigned_channels"]),
            "open alerts": _alerts(report["alerts"]),
            "Graph API": report["graph"]["text"],
        }
    print_fields(fields)
    if report["ok"]:
        click.echo("\nAll is well.")
        return
    click.echo("\nNeeds attention:")
    for problem in report["problems"]:
        click.echo(f"  {plain(problem['what'])}\n    What to do: {plain(problem['next_step'])}")


def _joined(parts: Any) -> str:
    return ", ".join(parts)


def _unknown(unknown: dict[str, Any]) -> str:
    return f"{unknown['count']}, the oldest for {rough(unknown['oldest_seconds'])}" if unknown["count"] else "none"


def _duplicates(stopped: dict[str, int]) -> str:
    return f"{stopped['messages']} messages, {stopped['conversions']} conversions in the last 24 h"


def _alerts(alerts: list[dict[str, Any]]) -> str:
    if not alerts:
        return "none"
    acknowledged = sum(alert["state"] == "acknowledged" for alert in alerts)
    return f"{len(alerts)}, {acknowledged} of them acknowledged: ctwa alerts"


def _waiting(backlog: dict[str, Any]) -> str:
    waiting = backlog["waiting"]
    return f"{waiting}, the oldest for {rough(backlog['oldest_seconds'])}" if waiting else "none"
