"""docs/performance.md, made of the kept results and the words of each part. No number in it is typed by hand."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.harness import short
from tests.bench.results import Part, Table, Target, from_json

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"

_INTRODUCTION = """# Performance

<!-- Made by `make bench` and its sisters in the Makefile from tests/bench/results.json; don't edit it
by hand. -->

How fast it is, and what limits each number. Absolute figures belong to the machine they were measured on, and on a
shared one they move by ±40 % from run to run; **the ratios within one run hold**. Measure on yours: `make bench`
takes at most 20 minutes and `make bench BENCH=--quick` three; `make bench-growth` and `make bench-backlog` take
longer and need disk. What these numbers mean for a million webhooks a day, or a hundred million, is in
[scaling.md](scaling.md); what was tried to get here, and rejected, in [decision
0018](decisions/0018-what-made-it-faster-and-what-did-not.md).
"""

_METHOD = """## Method

- Real servers: Postgres with `fsync` and `synchronous_commit`, Valkey with its append-only file, real Celery
  workers, and the [sandbox](sandbox.md) in Meta's place. All of them, and the load generator, share the cores of
  one machine.
- Variants run **in turns**: each once a round, several rounds, after one that warms up and isn't counted. A ratio
  is taken within each round, so that what else the machine did hits both sides.
- A number is the **median** of the rounds, with the lowest and the highest in brackets.
- The load generator (`tests/bench/client.py`) is one thread that keeps every connection busy, or, at a steady rate,
  posts on time whatever became of the requests before; every answer must be 200, or the run is void.
- Traffic goes to 127.0.0.1 only, and is bounded in count and time.
"""


def print_found(kept: Mapping[str, Any]) -> int:
    """Prints a part's findings; how many targets were missed."""
    found = from_json(kept["found"])
    for table in found.tables:
        print("\n" + "\n".join(_table(table)))
    print()
    for target in found.targets:
        print(f"{'ok    ' if target.met else 'MISSED'}  {target.what}: {_reached(target)} ({_wanted(target)})")
    return sum(not target.met for target in found.targets)


def write_page(parts: Mapping[str, Part], results: Mapping[str, Any]) -> None:
    PAGE.write_text(performance_page(parts, results), encoding="utf-8")


def performance_page(parts: Mapping[str, Part], results: Mapping[str, Any]) -> str:
    """The whole page. Parts that were never run say so."""
    ran = {name: results["parts"][name] for name in parts if name in results["parts"]}
    sections = [_INTRODUCTION, _overview(parts, ran), _METHOD, _machine(parts, ran)]
    sections += [_section(part, ran.get(name)) for name, part in parts.items()]
    return "\n".join(sections)


def _overview(parts: Mapping[str, Part], ran: Mapping[str, Any]) -> str:
    lines = [
        "## What was to be reached, and what was",
        "",
        "| part | what | to reach | reached | |",
        "|---|---|---|---|---|",
    ]
    for name, kept in ran.items():
        for target in from_json(kept["found"]).targets:
            mark = "✓" if target.met else "missed"
            lines.append(f"| {parts[name].title} | {target.what} | {_wanted(target)} | {_reached(target)} | {mark} |")
    missing = [part.title.lower() for name, part in parts.items() if name not in ran]
    lines += ["", f"Not measured yet: {', '.join(missing)}."] if missing else []
    return "\n".join(lines) + "\n"


def _machine(parts: Mapping[str, Part], ran: Mapping[str, Any]) -> str:
    lines = ["## The machine", ""]
    for facts in _distinct(kept["machine"] for kept in ran.values()):
        lines += [f"- {name}: {fact}" for name, fact in facts.items()] + [""]
    lines += ["The load average says how many processes wanted to run, those of the benchmark among them.", ""]
    lines += ["| part | when (UTC) | load average before | and after | took |", "|---|---|---:|---:|---:|"]
    for name, kept in ran.items():
        at = str(kept["began"]["at"])[:16].replace("T", " ")
        loads = f"{kept['began']['load']:.1f} | {kept['ended']['load']:.1f}"
        lines.append(f"| {parts[name].title} | {at} | {loads} | {kept['seconds']} s |")
    return "\n".join(lines) + "\n"


def _distinct(facts: Iterator[dict[str, str]]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for one in facts:
        if one not in found:
            found.append(one)
    return found


def _section(part: Part, kept: Mapping[str, Any] | None) -> str:
    lines = [f"## {part.title}", "", part.method.strip(), ""]
    if kept is None:
        lines += ["Not measured yet.", ""]
    else:
        found = from_json(kept["found"])
        lines += [f"This run: {found.sizes}.", ""]
        for table in found.tables:
            lines += [*_table(table), ""]
    lines += [f"**What limits it.** {part.limits.strip()}", ""]
    return "\n".join(lines)


def _table(table: Table) -> list[str]:
    lines = [f"| {' | '.join(table.columns)} |", f"|---{'|---:' * (len(table.columns) - 1)}|"]
    return lines + [f"| {' | '.join(str(cell) for cell in row)} |" for row in table.rows]


def _wanted(target: Target) -> str:
    return f"{target.sense} {short(target.wanted)}{_unit(target)}"


def _reached(target: Target) -> str:
    return f"{target.reached}{_unit(target)}"


def _unit(target: Target) -> str:
    return f" {target.unit}" if target.unit else ""
