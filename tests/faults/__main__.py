"""`python -m tests.faults`: the proof that nothing acknowledged is lost. docs/reliability.md says what it proves."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.faults.catalogue import SCENARIOS
from tests.faults.run import Row, perform
from tests.faults.servers import Servers
from tests.faults.table import Scenario, as_line, heading, summary


def main() -> int:
    """Runs the scenarios and prints the table; 0 when every row is ok or can't be run on this machine."""
    asked = _arguments()
    chosen = [
        one
        for one in SCENARIOS.values()
        if (one.quick or not asked.quick) and (not asked.only or one.name in asked.only)
    ]
    if asked.list:
        for one in chosen:
            print(f"{one.name:26} {'quick' if one.quick else '':6} {one.says}")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="ctwa-faults-"))
    rows = _run(folder, chosen, range(asked.first_seed, asked.first_seed + asked.seeds))
    print(f"\n{summary(rows)}")
    if all(row.verdict in ("ok", "cannot run") for row in rows):
        shutil.rmtree(folder)
        return 0
    print(f"The logs of what failed are in {folder}")
    return 1


def _run(folder: Path, chosen: list[Scenario], seeds: range) -> list[Row]:
    rows = []
    servers = Servers(folder)
    try:
        servers.open()
        print(heading(), flush=True)
        for one in chosen:
            for seed in seeds:
                rows.append(perform(servers, one.name, seed, one.play, one.environ))
                print(as_line(rows[-1]), flush=True)
    finally:
        servers.close()
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Break things and count what is lost.")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=SCENARIOS, help="these scenarios (see --list)")
    parser.add_argument("--quick", action="store_true", help="the ten that matter most")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="how often each, with seeds in a row")
    parser.add_argument("--first-seed", type=int, default=1, metavar="SEED", help="the first seed (default: 1)")
    parser.add_argument("--list", action="store_true", help="list the scenarios and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
