"""Takes a webhook, checks its token, hands the whole payload to Celery: a factory for granian."""

import hmac
import os

from flask import Flask, abort, request

from tests.bench.naive.worker import report


def load() -> Flask:
    app = Flask(__name__, static_folder=None)
    header, token = os.environ["NAIVE_HEADER"], os.environ["NAIVE_TOKEN"]

    @app.post("/webhooks")
    def webhook() -> str:
        if not hmac.compare_digest(request.headers.get(header, ""), token):
            abort(401)
        report.delay(request.get_json())
        return ""

    return app
