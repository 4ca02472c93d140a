"""Every fault by name, in one table: what is kept, what is answered, and how it is delivered. Pure.

An active fault is an entry of `board.Board`; how an answer is cut short on the socket is in `delivery`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Literal

from sandbox.answers import HTML, Answer, as_json, received, refusal, usage_headers
from sandbox.errors import SCOPE_MISSING, TOKEN_EXPIRED, GraphError, event_error, object_missing
from sandbox.versions import WARNING_HEADER, upgrade_warning

# What becomes of the events of a valid request before the fault's answer goes out.
Keep = Literal["all", "none", "all_but_last"]
# How the answer goes out.
Delivery = Literal["whole", "close", "reset", "half", "trickle"]

# The options that change a Graph error.
GRAPH_OPTIONS = ("status", "code", "subcode", "is_transient")
_DATASET = "{dataset}"

REDIRECT_TARGET = "/__sandbox/redirected"
HUGE_BYTES = 4_000_000


@dataclass(frozen=True)
class Options:
    """What may be set when a fault is added; None leaves the fault's own."""

    status: int | None = None
    code: int | None = None
    subcode: int | None = None
    is_transient: bool | None = None
    regain_minutes: int = 1
    retry_after: int | None = None


@dataclass(frozen=True)
class Case:
    """The call that a fault spoils. `usual` is the answer it would have got."""

    dataset_id: str
    fbtrace_id: str
    events: int
    kept: int
    usual: Answer
    options: Options


@dataclass(frozen=True)
class Fault:
    """A row of the table. It answers with `error`, or with what `answer` makes, or else as usual."""

    means: str
    keep: Keep = "none"
    answer: Callable[[Case], Answer] | None = None
    error: GraphError | None = None
    throttles: bool = False
    delivery: Delivery = "whole"
    before_reading: bool = False
    hangs: bool = False


def answer_of(fault: Fault, case: Case) -> Answer:
    """What this fault answers to this call. A fault that answers 200 leaves a refusal as it is."""
    if fault.error is not None:
        return _graph_answer(fault, fault.error, case)
    answer = fault.answer(case) if fault.answer is not None else case.usual
    refused = case.usual.status != HTTPStatus.OK
    return case.usual if refused and answer.status == HTTPStatus.OK else answer


def _graph_answer(fault: Fault, error: GraphError, case: Case) -> Answer:
    given = {name: getattr(case.options, name) for name in GRAPH_OPTIONS}
    message = error.message.replace(_DATASET, case.dataset_id)
    error = replace(error, message=message, **{key: value for key, value in given.items() if value is not None})
    answer = refusal(error, case.fbtrace_id)
    if not fault.throttles:
        return answer
    usage = usage_headers(case.dataset_id, 100, case.options.regain_minutes)
    return answer.with_headers({**usage, **_retry_after(case)})


def _retry_after(case: Case) -> Mapping[str, str]:
    seconds = case.options.retry_after
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _plain(status: int, body: str = "", content_type: str = HTML) -> Callable[[Case], Answer]:
    def answer(case: Case) -> Answer:
        return Answer(status, body.encode(), {"Content-Type": content_type, **_retry_after(case)})

    return answer


def _count_zero(case: Case) -> Answer:
    return received(0, case.fbtrace_id)


def _count_short(case: Case) -> Answer:
    return received(max(case.events - 1, 0), case.fbtrace_id)


def _without_messages(case: Case) -> Answer:
    return as_json({"events_received": case.kept, "fbtrace_id": case.fbtrace_id})


def _auto_upgraded(case: Case) -> Answer:
    return case.usual.with_headers({WARNING_HEADER: upgrade_warning("v25.0", "v26.0")})


def _redirect(_: Case) -> Answer:
    return Answer(302, b"", {"Location": REDIRECT_TARGET, "Content-Type": HTML})


def _huge(case: Case) -> Answer:
    padding = ["x" * 1000] * (HUGE_BYTES // 1000)
    return as_json({"events_received": case.kept, "messages": padding, "fbtrace_id": case.fbtrace_id})


_GATEWAY_PAGE = (
    "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>"
)
_UNKNOWN = GraphError("An unknown error has occurred.", 1, status=500, is_transient=False)
_LOCALISED = replace(
    event_error(2804003),
    title="Registro de data e hora do evento muito antigo",
    user_msg="O registro de data e hora deste evento está muito no passado. Os eventos precisam ser "
    "enviados do seu servidor em até 7 dias após a ocorrência.",
)

FAULTS: dict[str, Fault] = {
    "token_expired": Fault("190/463 with HTTP 401", error=TOKEN_EXPIRED),
    "token_expired_400": Fault("190/463 with HTTP 400", error=replace(TOKEN_EXPIRED, status=400)),
    "object_missing": Fault("100/33: no such object, or no permission", error=object_missing(_DATASET)),
    "permission": Fault("200: permissions error", error=GraphError("(#200) Permissions error", 200, status=403)),
    "access_level": Fault(
        "270: development access level, or a missing scope",
        error=SCOPE_MISSING,
    ),
    "policy_block": Fault(
        "368: blocked for policy violations",
        error=GraphError("The action attempted has been deemed abusive or is otherwise disallowed", 368),
    ),
    "unknown_error": Fault("1 with HTTP 500", error=_UNKNOWN),
    "service_unavailable": Fault(
        "2 with HTTP 500, transient",
        error=GraphError("Service temporarily unavailable", 2, status=500, is_transient=True),
    ),
    "graph_500": Fault(
        "an unlisted code (99) with HTTP 500 and a Graph error object",
        error=GraphError("An unknown error occurred", 99, status=500),
    ),
    "graph_error": Fault(
        "any Graph error: set status, code, subcode, is_transient",
        error=GraphError("Invalid parameter", 100),
    ),
    "throttle_app": Fault(
        "4 with HTTP 400 and usage headers",
        error=GraphError("(#4) Application request limit reached", 4, is_transient=True),
        throttles=True,
    ),
    "throttle_user": Fault(
        "17 with HTTP 400 and usage headers",
        error=GraphError("(#17) User request limit reached", 17, 2446079, is_transient=False),
        throttles=True,
    ),
    "throttle_custom": Fault(
        "613 with HTTP 400 and usage headers",
        error=GraphError("(#613) Calls to this api have exceeded the rate limit.", 613),
        throttles=True,
    ),
    "throttle_business": Fault(
        "80004 with HTTP 400 and usage headers",
        error=GraphError("(#80004) There have been too many calls to this ad-account.", 80004, 2446079),
        throttles=True,
    ),
    "http_429": Fault("429 without a body (option retry_after)", answer=_plain(429)),
    "http_408": Fault("408 without a body", answer=_plain(408)),
    "http_502_empty": Fault("502 without a body", answer=_plain(502)),
    "http_503_html": Fault("503 with an HTML page (option retry_after)", answer=_plain(503, _GATEWAY_PAGE)),
    "received_zero": Fault("200 with events_received 0; nothing is kept", answer=_count_zero),
    "received_short": Fault("200 with events_received n-1; the last event is not kept", "all_but_last", _count_short),
    "ok_not_json": Fault("200 with an HTML page", answer=_plain(200, "<html><body>Welcome</body></html>")),
    "ok_empty": Fault("200 without a body", answer=_plain(200)),
    "ok_without_messages": Fault("200 without the member messages", "all", _without_messages),
    "auto_upgrade": Fault("200 with X-Ad-Api-Version-Warning", "all", _auto_upgraded),
    "localised_error": Fault("100/2804003 with its texts in Portuguese (pt_BR)", error=_LOCALISED),
    "error_data_string": Fault(
        "100/2804001 with error_data as a JSON string",
        error=replace(
            event_error(2804001, "The parameter is not valid."),
            error_data=json.dumps({"blame_field_specs": [["data[0]"]]}),
        ),
    ),
    "redirect": Fault("302 to an HTML page", answer=_redirect),
    "huge_answer": Fault(f"200 and {HUGE_BYTES // 1_000_000} MB of JSON", "all", _huge),
    "hang_before_reading": Fault(
        "nothing is read or answered, until released or for delay seconds; then the connection closes",
        delivery="close",
        before_reading=True,
        hangs=True,
    ),
    "reset_before_reading": Fault(
        "the connection is reset before the body is read", delivery="reset", before_reading=True
    ),
    "commit_then_drop": Fault("the events are kept, then the connection closes", "all", delivery="close"),
    "commit_then_reset": Fault("the events are kept, then the connection is reset", "all", delivery="reset"),
    "commit_then_504": Fault("the events are kept, then 504 with an HTML page", "all", _plain(504, _GATEWAY_PAGE)),
    "commit_then_hang": Fault(
        "the events are kept; the usual answer comes when released or after delay seconds", "all", hangs=True
    ),
    "trickle": Fault(
        "the events are kept; the usual answer comes byte by byte over delay seconds",
        "all",
        delivery="trickle",
    ),
    "half_body": Fault("the events are kept; the answer breaks off in the middle of its body", "all", delivery="half"),
}
