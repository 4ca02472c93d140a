"""Between Flask and the rules: a request as `Asked`, an `Answer` as a response with Graph's headers."""

from flask import Response, current_app, request

from sandbox import versions, wire
from sandbox.answers import JSON, Answer, usage_headers
from sandbox.errors import GraphError
from sandbox.judge import Asked
from sandbox.judge import version as served_by
from sandbox.state import State


def running() -> State:
    """The state of the sandbox that serves this request."""
    state: State = current_app.extensions["sandbox"]
    return state


def asked_now(state: State, version: str, object_id: str, read: bool = True) -> Asked:
    """The current request. With `read` False its body is left on the socket."""
    query = request.args.to_dict()
    if read and request.mimetype == "application/json":
        params = wire.json_parameters(query, request.get_data(cache=False))
    else:
        params = {**query, **request.form.to_dict()} if read else dict(query)
    return Asked(
        version=version,
        object_id=object_id,
        path=f"/{version}/{object_id}",
        params=params,
        secret=wire.token(request.headers.get("Authorization"), params),
        now=state.now(),
    )


def respond(state: State, answer: Answer, asked: Asked) -> Response:
    """The response; what Graph itself answers, and not a gateway before it, carries Graph's headers."""
    headers = dict(answer.headers)
    if headers.get("Content-Type") == JSON:
        headers = usage_headers(asked.object_id, state.world.usage_percent) | _version_headers(asked) | headers
    return Response(answer.body, answer.status, headers)


def _version_headers(asked: Asked) -> dict[str, str]:
    served = served_by(asked)
    if isinstance(served, GraphError):
        return {}
    headers = {"facebook-api-version": served.version}
    return headers if served.warning is None else {**headers, versions.WARNING_HEADER: served.warning}
