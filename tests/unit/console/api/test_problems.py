"""Errors as problem details."""

import json

import pytest
from flask import Flask, request

from console.api import problems


@pytest.fixture
def app():
    app = Flask(__name__)
    problems.install(app)
    app.post("/")(lambda: json.loads(request.get_data()))
    return app


def test_a_body_that_is_nested_too_deeply_is_the_caller_s_mistake(app):
    answer = app.test_client().post("/", data="[" * 100_000)
    assert answer.status_code == 400
    assert "nested too deeply" in answer.json["detail"]
