"""`POST /{version}/{dataset}/events`: judge, record, answer; or do what an active fault says."""

import time
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from socket import socket
from typing import Any

from flask import Blueprint, Response, request

from sandbox import judge
from sandbox.answers import Answer, new_fbtrace_id, received, refusal
from sandbox.board import Active, hang
from sandbox.delivery import DELIVERY, caller_is_gone, deliver
from sandbox.faults import Case, answer_of
from sandbox.judge import Asked, Judged
from sandbox.reply import asked_now, respond, running
from sandbox.state import State
from sandbox.store import Call

blueprint = Blueprint("events", __name__)


@blueprint.post("/<version:version>/<dataset_id>/events")
def post_events(version: str, dataset_id: str) -> Response:
    """Take events, all or none."""
    state, started = running(), time.perf_counter()
    state.slow_down()
    active = state.board.meet(dataset_id)
    if active is not None:
        return _under_fault(state, active, version, dataset_id, started)
    asked = asked_now(state, version, dataset_id)
    judged = judge.events(state.world, asked)
    fbtrace_id = new_fbtrace_id()
    answer = _usual(judged, fbtrace_id)
    call = _call(asked, judged, answer, fbtrace_id)
    state.store.record(replace(call, latency_ms=_milliseconds_since(started)), judged.events)
    return respond(state, answer, asked)


def _under_fault(state: State, active: Active, version: str, dataset_id: str, started: float) -> Response:
    try:
        fault, fbtrace_id = active.fault, new_fbtrace_id()
        asked = asked_now(state, version, dataset_id, read=not fault.before_reading)
        judged = Judged() if fault.before_reading else judge.events(state.world, asked)
        kept = _kept(judged.events, active)
        usual = _usual(replace(judged, events=kept), fbtrace_id)
        case = Case(dataset_id, fbtrace_id, len(judged.events), len(kept), usual, active.options)
        answer = answer_of(fault, case)
        call = replace(_call(asked, judged, answer, fbtrace_id), outcome="fault", fault=active.kind)
        if fault.delivery in ("close", "reset"):
            call = replace(call, status=None, code=None, subcode=None, fbtrace_id=None)
        call_id = state.store.record(call, kept)
        request.environ[DELIVERY] = _Broken(state, active, call_id, started)
        return respond(state, answer, asked)
    except BaseException:
        state.board.leave(active)
        raise


class _Broken:
    """Delivers an answer as the fault says, and records how long that took."""

    def __init__(self, state: State, active: Active, call_id: int, started: float) -> None:
        self._state, self._active = state, active
        self._call_id, self._started = call_id, started

    def __call__(self, sock: socket, head: bytes, body: bytes) -> bool:
        """Returns whether the connection may serve another call."""
        active = self._active
        try:
            hang(active, gone=lambda: caller_is_gone(sock))
            return deliver(active.fault.delivery, sock, head, body, active.trickle, active.released)
        finally:
            self._state.board.leave(active)
            self._state.store.finish(self._call_id, _milliseconds_since(self._started))


def _kept(events: list[dict[str, Any]], active: Active) -> list[dict[str, Any]]:
    return {"all": events, "none": [], "all_but_last": events[:-1]}[active.keep]


def _usual(judged: Judged, fbtrace_id: str) -> Answer:
    if judged.error is not None:
        return refusal(judged.error, fbtrace_id)
    return received(len(judged.events), fbtrace_id)


def _call(asked: Asked, judged: Judged, answer: Answer, fbtrace_id: str) -> Call:
    error = answer.error
    return Call(
        received_at=asked.now,
        dataset=asked.object_id,
        outcome=judged.outcome,
        version=asked.version,
        test_event_code=_text(asked.params, "test_event_code"),
        events=judged.count,
        status=answer.status,
        code=None if error is None else error.code,
        subcode=None if error is None else error.subcode,
        reason=None if error is None else error.in_words(),
        fbtrace_id=fbtrace_id if answer.error or answer.status == HTTPStatus.OK else None,
    )


def _text(params: Mapping[str, Any], name: str) -> str | None:
    value = params.get(name)
    return value if isinstance(value, str) else None


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
