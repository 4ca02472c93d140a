"""The record of a running local stack: `stack.json` in its state folder, there while the stack runs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.local.lock import running_pid


@dataclass(frozen=True)
class StackProcess:
    """One process of a running stack. `pid` is 0 while it is down."""

    name: str
    pid: int
    restarts: int
    command: Sequence[str]


@dataclass(frozen=True)
class Stack:
    """A running stack. `ready` says whether everything has started; `extra` holds what the caller wanted kept.

    `urls` are pages for people and `addresses` endpoints for programs, by name. The URLs of the servers hold
    their passwords, so the file is its owner's alone to read.
    """

    pid: int
    started_at: datetime
    state_dir: Path
    ready: bool
    processes: Sequence[StackProcess]
    urls: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    database_url: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


def write_stack(stack: Stack) -> None:
    """Write the record in one step, so that no reader ever sees half of it."""
    fields = asdict(stack)
    extra = fields.pop("extra")
    fields |= {"started_at": stack.started_at.isoformat(), "state_dir": str(stack.state_dir)}
    path = stack_file(stack.state_dir)
    draft = path.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(extra | fields, file, indent=2)
        file.write("\n")
    draft.replace(path)


def read_stack(state_dir: Path) -> Stack | None:
    """The stack that runs on this folder now. None if none does, even when a killed one left its record."""
    pid = running_pid(state_dir)
    path = stack_file(state_dir)
    try:
        fields = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    if pid is None or fields["pid"] != pid:
        return None
    known = {name: fields.pop(name) for name in Stack.__dataclass_fields__ if name in fields}
    return Stack(
        **known
        | {
            "started_at": datetime.fromisoformat(known["started_at"]),
            "state_dir": Path(known["state_dir"]),
            "processes": [StackProcess(**process) for process in known["processes"]],
            "extra": fields,
        }
    )


def remove_stack(state_dir: Path) -> None:
    """Remove the record, if there is one."""
    stack_file(state_dir).unlink(missing_ok=True)


def stack_file(state_dir: Path) -> Path:
    """Where the record of this folder's stack is."""
    return state_dir / "stack.json"
