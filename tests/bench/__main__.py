"""`make bench`: measures what docs/performance.md tells. `python -m tests.bench --help` has the options."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from shared.logs import configure_logs
from tests.bench.facts import machine, moment
from tests.bench.parts import PARTS
from tests.bench.report import print_found, write_page
from tests.bench.results import Part, Sizes, as_json, load, save
from tests.bench.scaling import write_table

#: What `make bench` runs; the others are targets of their own, since they take longer than all of these.
USUAL = ("acknowledge", "end-to-end", "fairness", "nodes", "adapters", "footprint")


def main() -> int:
    """Runs the parts and, unless it was quick, keeps what they found; 0 when every target is met."""
    asked = _arguments()
    configure_logs("bench", log_format="json", level="warning")
    results = load()
    if asked.render:
        write_page(PARTS, results)
        write_table(results)
        return 0
    missed = 0
    folder = Path(tempfile.mkdtemp(prefix="ctwa-bench-"))
    try:
        for name in asked.only or USUAL:
            part = PARTS[name]
            print(f"\n== {part.title}", flush=True)
            kept = _run(part, asked, folder / name)
            missed += print_found(kept)
            results["parts"][name] = kept
            if not asked.quick:
                save(results)
                write_page(PARTS, results)
                write_table(results)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if missed else 0


def _run(part: Part, asked: argparse.Namespace, folder: Path) -> dict[str, object]:
    folder.mkdir()
    sizes = Sizes(
        quick=asked.quick,
        rounds=asked.rounds or (1 if asked.quick else 3),
        folder=folder,
        rows=tuple(asked.rows or ()),
        say=lambda text: print(text, flush=True),
    )
    began, start = moment(), time.monotonic()
    found = part.run(sizes)
    seconds = round(time.monotonic() - start)
    return {"found": as_json(found), "machine": machine(), "began": began, "ended": moment(), "seconds": seconds}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Measure, and write docs/performance.md."
    )
    parser.add_argument("--only", nargs="+", metavar="PART", choices=PARTS, help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round; only prints")
    parser.add_argument("--render", action="store_true", help="only write the page anew, from what is kept")
    parser.add_argument("--rounds", type=int, help="how often each variant runs (default: 3)")
    parser.add_argument("--rows", type=int, nargs="+", help="sizes of the tables, for growth, backlog and pages")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
