"""`ctwa demo`: the whole way of a webhook, once, and a table of what became of each."""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import click

from console.cli.render import print_json, print_table
from console.demo.outcomes import Result
from console.demo.run import Verdict, own_stack, run_demo
from console.errors import UnavailableError
from shared.local.process import StackError

STATE_DIR = Path(".local/demo")


@click.command()
@click.option("--keep", is_flag=True, help="Keep the folder: `ctwa up --state-dir` starts its stack again.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=STATE_DIR,
    show_default=True,
    help="Folder of the demo's own stack. What is in it is removed first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; progress goes to stderr.")
def demo(keep: bool, state_dir: Path, as_json: bool) -> None:
    """Post realistic webhooks of every provider through a stack of its own, and print what became of each.

    Ads, organic messages, ads without a click id, redeliveries, forgeries, junk and receipts go through the real
    receiver, workers and a stand-in for Meta. Exit code 0 only if all came out as they should.

    JSON: {ok, seconds, logs, problems, cases: [{provider, dataset, case, answers, taken_for, state, words, events,
    problems}]}; `logs` is null when the folder is removed.
    """
    state_dir = state_dir.resolve()
    begun = time.monotonic()
    _refuse_foreign_folder(state_dir)
    click.echo(f"Starting a stack of its own in {state_dir}.", err=True)
    try:
        with own_stack(state_dir, os.environ) as stack:
            verdict = run_demo(stack, say=lambda text: click.echo(text, err=True))
    except StackError as error:
        raise UnavailableError(f"{error}\nThe logs are in {state_dir / 'logs'}.") from error
    kept = keep or not verdict.ok
    if not kept:
        shutil.rmtree(state_dir)
    logs = str(state_dir / "logs") if kept else None
    _report(verdict, logs, time.monotonic() - begun, as_json=as_json)
    if keep:
        click.echo(f"Look at it again: ctwa up --state-dir {state_dir}", err=True)
    sys.exit(0 if verdict.ok else 1)


def _refuse_foreign_folder(state_dir: Path) -> None:
    """What is in the folder will be removed, so it must be a stack's own, or empty, or not there."""
    if state_dir.is_dir() and any(state_dir.iterdir()) and not (state_dir / "supervisor.lock").exists():
        raise UnavailableError(f"{state_dir} holds something that is not a local stack. Choose another folder.")


def _report(verdict: Verdict, logs: str | None, seconds: float, *, as_json: bool) -> None:
    if as_json:
        rows = [_as_json(result) for result in verdict.results]
        problems = list(verdict.strays)
        print_json({"ok": verdict.ok, "seconds": round(seconds, 1), "logs": logs, "problems": problems, "cases": rows})
        return
    print_table(
        ("PROVIDER", "DATASET", "CASE", "ANSWER", "TAKEN FOR", "DELIVERY", "EVENTS AT META", "", "IN WORDS"),
        [_as_row(result) for result in verdict.results],
        empty="There are no providers.",
    )
    wrong = [result for result in verdict.results if result.problems]
    for result in wrong:
        case = result.case
        click.echo(f"WRONG  {case.channel.name}, {case.name}: {'; '.join(result.problems)}")
    for stray in verdict.strays:
        click.echo(f"WRONG  {stray}")
    if verdict.ok:
        click.echo(f"\nAll {len(verdict.results)} cases came out as they should, in {seconds:.0f} s.")
    else:
        click.echo(f"\n{len(wrong) + len(verdict.strays)} went wrong. The logs are in {logs}.")


def _as_row(result: Result) -> tuple[object, ...]:
    case, seen = result.case, result.seen
    answers = ", ".join(
        f"{answer or 'none'}{f' x{count}' if (count := result.answers.count(answer)) > 1 else ''}"
        for answer in dict.fromkeys(result.answers)
    )
    return (
        case.channel.provider,
        case.channel.dataset.name,
        case.name,
        answers,
        seen.taken_for.replace("_", " "),
        seen.state or "",
        len(result.events) if case.click_id else "",
        "WRONG" if result.problems else "ok",
        seen.words,
    )


def _as_json(result: Result) -> dict[str, Any]:
    case, seen = result.case, result.seen
    return {
        "provider": case.channel.provider,
        "dataset": case.channel.dataset.name,
        "case": case.name,
        "answers": result.answers,
        "taken_for": seen.taken_for,
        "state": seen.state,
        "words": seen.words,
        "events": len(result.events),
        "problems": result.problems,
    }
