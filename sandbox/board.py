"""The active faults: which one a call meets, how often each still fires, and who is being kept waiting."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from sandbox.config import ConfigError
from sandbox.faults import FAULTS, GRAPH_OPTIONS, Fault, Keep, Options

# A hang without a delay ends by itself after this long, so that a forgotten fault frees its thread.
LONGEST_HANG = 600.0
DEFAULT_TRICKLE = 30.0


class FaultSchema(Schema):
    kind = fields.String(required=True, validate=validate.OneOf(FAULTS))
    dataset = fields.String(allow_none=True)
    times = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=1))
    delay = fields.Float(allow_none=True, validate=validate.Range(0, 3600))
    probability = fields.Float(validate=validate.Range(0, 1))
    seed = fields.Integer(strict=True)
    commit = fields.Boolean(truthy={True}, falsy={False}, allow_none=True)
    status = fields.Integer(strict=True, validate=validate.Range(200, 599))
    code = fields.Integer(strict=True)
    subcode = fields.Integer(strict=True)
    is_transient = fields.Boolean(truthy={True}, falsy={False})
    regain_minutes = fields.Integer(strict=True, validate=validate.Range(min=0))
    retry_after = fields.Integer(strict=True, validate=validate.Range(min=0))

    @validates_schema
    def options_fit(self, data: dict[str, Any], **_: object) -> None:
        fault = FAULTS.get(data.get("kind", ""))
        if fault is None:
            return
        if fault.error is None and any(name in data for name in GRAPH_OPTIONS):
            raise ValidationError(f"{', '.join(GRAPH_OPTIONS)} belong to faults that answer a Graph error.")
        if fault.before_reading and data.get("commit"):
            raise ValidationError("This fault acts before the events are read: it cannot commit them.")


@dataclass(eq=False)
class Active:
    """One fault that was added. `remaining` None: until it is deleted."""

    id: int
    kind: str
    options: Options
    dataset: str | None = None
    remaining: int | None = None
    delay: float | None = None
    probability: float = 1.0
    commit: bool | None = None
    fired: int = 0
    waiting: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    dice: random.Random = field(default_factory=random.Random)

    @property
    def fault(self) -> Fault:
        return FAULTS[self.kind]

    @property
    def keep(self) -> Keep:
        """What becomes of the events; `commit`, where given, overrides the table."""
        if self.commit is None:
            return self.fault.keep
        return "all" if self.commit else "none"

    @property
    def pause(self) -> float:
        """Seconds to wait before the answer: all of the hang, or the delay of any other kind."""
        if self.fault.hangs:
            return LONGEST_HANG if self.delay is None else self.delay
        return 0.0 if self.delay is None or self.fault.delivery == "trickle" else self.delay

    @property
    def trickle(self) -> float:
        """Seconds that a trickled answer takes."""
        return DEFAULT_TRICKLE if self.delay is None else self.delay

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "means": self.fault.means,
            "dataset": self.dataset,
            "remaining": self.remaining,
            "delay": self.delay,
            "probability": self.probability,
            "commit": self.commit,
            "fired": self.fired,
            "waiting": self.waiting,
        }


class Board:
    """The faults in the order in which they were added. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[Active] = []
        self._last_id = 0

    def add(self, document: object) -> dict[str, Any]:
        """Add a fault; returns it as shown. Raises ConfigError with every problem at once."""
        if not isinstance(document, dict):
            raise ConfigError({"_schema": ["Give a JSON object."]})
        try:
            row = FaultSchema().load(document)
        except ValidationError as error:
            raise ConfigError(error.messages) from None
        option_names = (*GRAPH_OPTIONS, "regain_minutes", "retry_after")
        options = Options(**{name: row[name] for name in option_names if name in row})
        with self._lock:
            self._last_id += 1
            active = Active(
                id=self._last_id,
                kind=row["kind"],
                options=options,
                dataset=row.get("dataset"),
                remaining=row.get("times"),
                delay=row.get("delay"),
                probability=row.get("probability", 1.0),
                commit=row.get("commit"),
                dice=random.Random(row.get("seed")),  # noqa: S311  seeded to repeat a test
            )
            self._active.append(active)
            return active.shown()

    def meet(self, dataset_id: str, *, named_only: bool = False) -> Active | None:
        """The first fault that strikes this call, counted as fired; None if it goes unharmed.

        `named_only`: one that was added for every dataset doesn't strike it.

        The call is under the fault until `leave`: till then the fault is shown and can be deleted.
        """
        with self._lock:
            for active in self._active:
                wanted = (dataset_id,) if named_only else (None, dataset_id)
                if active.dataset not in wanted or active.remaining == 0:
                    continue
                if active.probability < 1.0 and active.dice.random() >= active.probability:
                    continue
                active.fired += 1
                active.waiting += 1
                if active.remaining is not None:
                    active.remaining -= 1
                return active
        return None

    def leave(self, active: Active) -> None:
        """The call that met this fault is over."""
        with self._lock:
            active.waiting -= 1
            self._active = [a for a in self._active if a.remaining != 0 or a.waiting]

    def shown(self) -> list[dict[str, Any]]:
        """The faults that may still fire, and the spent ones that keep a call waiting."""
        with self._lock:
            return [active.shown() for active in self._active if active.remaining != 0 or active.waiting]

    def delete(self, fault_id: int | None = None) -> int:
        """Delete one fault, or all, and release whom they keep waiting; returns how many there were."""
        with self._lock:
            chosen = [active for active in self._active if fault_id in (None, active.id)]
            self._active = [active for active in self._active if active not in chosen]
        for active in chosen:
            active.released.set()
        return len(chosen)


def hang(active: Active, gone: Callable[[], bool]) -> None:
    """Wait until the fault is deleted, its time is up, or the caller is gone."""
    until = time.monotonic() + active.pause
    while (left := until - time.monotonic()) > 0 and not gone():
        if active.released.wait(min(0.1, left)):
            return
