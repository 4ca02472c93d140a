"""Static files: their URL changes with their content, so that browsers may keep them for good."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

STATIC = Path(__file__).parent / "static"
_YEAR = 365 * 24 * 3600


def install(app: Flask) -> None:
    """Adds the content's hash to every URL of a static file."""

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "v" not in values:
            values["v"] = version(values["filename"])

    @app.after_request
    def keep(response: Response) -> Response:
        if request.endpoint == "static" and request.args.get("v"):
            response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
        return response


@cache
def version(name: str) -> str:
    """The first characters of the hash of a static file."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
