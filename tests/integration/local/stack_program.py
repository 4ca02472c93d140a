"""A program for the tests of the supervisor: runs the plan that a JSON file describes, or stops what runs.

usage: stack_program.py up|detached|down STATE_DIR [PLAN.json]
A plan is a list. {"embedded": true} stands for embedded servers, {"step": shell command} for a step, anything else
for a process: {"name", "command", "ready_file"?, "ready_seconds"?, "stop_seconds"?, "restart"?}.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from shared.local.detach import start_detached, stop
from shared.local.ports import Ports
from shared.local.process import Process, StackError
from shared.local.servers import choose_servers
from shared.local.supervisor import Plan, Step, Supervisor


def process(row: dict[str, Any]) -> Process:
    """The process a row describes; "ready_file" makes the existence of that file its readiness."""
    options = {key: row[key] for key in ("ready_seconds", "stop_seconds", "restart") if key in row}
    ready = Path(row["ready_file"]).exists if "ready_file" in row else None
    return Process(name=row["name"], command=row["command"], ready=ready, **options)


def step(command: str) -> Step:
    """A step that runs a shell command and fails with it."""

    def run() -> None:
        if code := subprocess.run(["sh", "-c", command], check=False).returncode:
            raise StackError(f"the step failed with code {code}")

    return Step(command, run)


def plan(state_dir: Path, rows: list[dict[str, Any]]) -> Plan:
    """The plan, with the servers' URLs when it has embedded ones."""
    items: list[Process | Step] = []
    urls: dict[str, str] = {}
    for row in rows:
        if "embedded" in row:
            servers = choose_servers(state_dir, Ports(state_dir))
            items += servers.items
            urls = {"database_url": servers.database_url, "redis_url": servers.redis_url}
        elif "step" in row:
            items.append(step(row["step"]))
        else:
            items.append(process(row))
    return Plan(items, urls={"console": "http://127.0.0.1:1/"}, extra={"colour": "green"}, **urls)


def main() -> int:
    action, state_dir = sys.argv[1], Path(sys.argv[2])
    if action == "down":
        print("stopped" if stop(state_dir) else "nothing was running")
        return 0
    supervisor = Supervisor(state_dir, plan(state_dir, json.loads(Path(sys.argv[3]).read_text())))
    return start_detached(supervisor) if action == "detached" else supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
