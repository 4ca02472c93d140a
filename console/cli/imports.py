"""What `ctwa conversions import` and `ctwa touchpoints import` have in common: the preview, the hand-over, the wait."""

import sys
import time
from collections.abc import Callable, Iterable
from datetime import tzinfo
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import click

from console.cli import options
from console.cli.context import Session
from console.cli.render import plain, print_json, print_table
from console.errors import InvalidError
from console.imports.columns import Reading
from console.imports.files import write_bad_rows
from console.imports.hand_over import hand_over
from console.imports.plan import Plan, plan_import, the_workspace
from console.imports.verdicts import WORDS
from shared.db.submissions import ends_of_requests, unfinished_requests
from shared.domain.reasons import explain
from shared.queue import Work

_LOOK_SECONDS = 0.3
#: Intake does some hundred items a second; whoever waits longer is told where to look.
_MOST_SECONDS = 600.0

_OPTIONS = (
    click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False)),
    click.option("--workspace", metavar="NAME", help="Whose they are. [default: the only one]"),
    click.option("--channel", metavar="NAME", help="The channel of rows that name none."),
    click.option("--zone", default="UTC", show_default=True, help="Of times without a zone, such as Europe/Berlin."),
    click.option("--time-format", metavar="FORMAT", help="Of times that are not ISO 8601, such as '%d/%m/%Y %H:%M'."),
    click.option("--show", type=click.IntRange(0, 10_000), default=20, show_default=True, help="Print so many rows."),
    options.dry_run,
    options.yes,
    click.option("--wait/--no-wait", default=True, help="Wait until intake has read it.  [default: wait]"),
    options.as_json,
)


def import_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that both imports have."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def run_import(
    session: Session,
    kind: str,
    file: Path,
    reading: Reading,
    *,
    workspace: str | None,
    show: int,
    dry_run: bool,
    yes: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Previews, asks, hands over, waits, and says what became of it. Exit code 1 when rows were bad or refused."""
    ring, hashes = session.secret_ring(), session.hash_ring()

    def progress(rows: list[Any]) -> Iterable[Any]:
        with click.progressbar(rows, label="Looking at rows", file=sys.stderr, hidden=as_json) as bar:
            yield from bar

    with session.database(seconds=60) as conn:
        space = the_workspace(conn, workspace)
        plan = plan_import(conn, hashes, space, kind, file, reading, progress=progress)
    if not as_json:
        _echo(plan, show)
    requests: list[UUID] = []
    bad_file: Path | None = None
    if not dry_run:
        if plan.items:
            options.confirm(f"Import these {len(plan.items)} rows?", yes=yes)
        if plan.bad:
            bad_file = write_bad_rows(file, plan.table, plan.bad)
        if plan.items:
            detail = {"file": file.name, "verdicts": plan.counts}
            with session.database(seconds=60) as conn:
                requests = hand_over(
                    conn, ring, space, kind, plan.items, origin="csv", actor=session.actor, detail=detail
                )
            session.ring(Work.INTAKE)
    finished = wait_for_intake(session, requests, quiet=as_json) if wait else not requests
    with session.database() as conn:
        ends = ends_of_requests(conn, requests)
    refused = sum(count for (state, _), count in ends.items() if state == "refused")
    if as_json:
        print_json(_document(plan, show, requests, bad_file, ends, dry_run=dry_run, finished=finished))
    else:
        _echo_end(plan, requests, bad_file, ends, dry_run=dry_run, finished=finished)
    if plan.bad or refused:
        raise SystemExit(1)


def reading_of(zone: str, time_format: str | None, channel: str | None, *, decimal_comma: bool = False) -> Reading:
    """How to read a file, from the options. Raises InvalidError for a zone that is none."""
    return Reading(
        zone=_zone(zone),
        time_format=time_format,
        decimal_comma=decimal_comma,
        defaults={"channel": channel} if channel else {},
    )


def wait_for_intake(session: Session, requests: list[UUID], *, quiet: bool, seconds: float = _MOST_SECONDS) -> bool:
    """Waits until intake has read these requests; whether it has. Says how far it is."""
    if not requests:
        return True
    ends = time.monotonic() + seconds
    with click.progressbar(length=len(requests), label="Intake reads", file=sys.stderr, hidden=quiet) as bar:
        left = len(requests)
        while left:
            with session.database() as conn:
                still = unfinished_requests(conn, requests)
            bar.update(left - still)
            left = still
            if left and time.monotonic() > ends:
                return False
            if left:
                time.sleep(_LOOK_SECONDS)
    return True


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidError(f"There is no time zone {name!r}. Names are like Europe/Berlin or Asia/Tokyo.") from None


def _echo(plan: Plan, show: int) -> None:
    print_table(
        ("ROWS", "VERDICT", "WHAT IT MEANS"),
        [(count, verdict, WORDS[verdict]) for verdict, count in plan.counts.items()],
        empty="",
    )
    shown = sorted(plan.rows, key=lambda row: (row.verdict != "bad", row.line))[:show]
    if shown:
        click.echo()
        print_table(
            ("LINE", "VERDICT", "TIME", "EVENT", "VALUE", "ORDER", "WHY"),
            [
                (
                    row.line,
                    row.verdict,
                    row.occurred_at,
                    row.item.get("event_name") or row.item.get("external_id"),
                    " ".join(str(row.item[name]) for name in ("value", "currency") if name in row.item),
                    row.item.get("order_id"),
                    row.reason or " ",
                )
                for row in shown
            ],
            empty="",
        )
    if len(plan.rows) > len(shown):
        click.echo(f"… and {len(plan.rows) - len(shown)} rows more (--show {len(plan.rows)} prints all).")


def _echo_end(
    plan: Plan,
    requests: list[UUID],
    bad_file: Path | None,
    ends: dict[tuple[str, str | None], int],
    *,
    dry_run: bool,
    finished: bool,
) -> None:
    if bad_file:
        click.echo(f"{len(plan.bad)} bad rows, each with its reason: {plain(bad_file)}")
    if dry_run:
        click.echo(f"Would import {len(plan.items)} rows. Nothing was stored.")
        return
    if not requests:
        click.echo("Nothing to import.")
        return
    click.echo(f"Stored {len(plan.items)} rows for intake.")
    for (state, reason), count in sorted(ends.items(), key=str):
        click.echo(f"  {state}: {count}{f'  {explain(reason).words}' if reason else ''}")
    if not finished:
        click.echo("Intake has not read all of it: `ctwa status` shows what waits, `ctwa conversions list` what came.")


def _document(
    plan: Plan,
    show: int,
    requests: list[UUID],
    bad_file: Path | None,
    ends: dict[tuple[str, str | None], int],
    *,
    dry_run: bool,
    finished: bool,
) -> dict[str, Any]:
    became = [{"state": state, "reason": why, "count": count} for (state, why), count in sorted(ends.items(), key=str)]
    return {
        "dry_run": dry_run,
        "verdicts": plan.counts,
        "rows": [{"line": row.line, "verdict": row.verdict, "reason": row.reason} for row in plan.rows[:show]],
        "imported": len(plan.items) if requests else 0,
        "requests": requests,
        "bad_file": str(bad_file) if bad_file else None,
        "finished": finished,
        "became": became,
    }
