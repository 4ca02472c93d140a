"""The page at `/`: what a person wants to see of a running sandbox, without a script."""

from typing import Any

from flask import Blueprint, Response, render_template, send_from_directory

from sandbox.reply import running

LATEST = 20

blueprint = Blueprint("page", __name__)


@blueprint.get("/")
def overview() -> Response:
    """Datasets, the latest events, the latest refusals in words, the active faults."""
    state = running()
    _, events = state.store.received({}, LATEST, newest_first=True)
    _, refused = state.store.requests({"outcome": "refused"}, LATEST, newest_first=True)
    _, faulted = state.store.requests({"outcome": "fault"}, LATEST, newest_first=True)
    html = render_template(
        "overview.html",
        world=state.world,
        events=[{**row, "click_id": shortened(row["event"]["user_data"].get("ctwa_clid"))} for row in events],
        refused=refused,
        faulted=faulted,
        faults=state.board.shown(),
        totals=state.store.totals(),
        now=state.now(),
        offset=int(state.clock_offset.total_seconds()),
        latency=state.latency,
    )
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'self'", "Cache-Control": "no-store"}
    return Response(html, mimetype="text/html", headers=headers)


@blueprint.get("/__sandbox/style.css")
def style() -> Response:
    return send_from_directory(str(blueprint.root_path) + "/pages", "style.css")


def shortened(click_id: Any) -> str:
    """Enough of a click id to tell two apart; never the whole."""
    if not isinstance(click_id, str) or not click_id:
        return "none"
    return f"{click_id[:6]}…" if len(click_id) > 12 else "…"
