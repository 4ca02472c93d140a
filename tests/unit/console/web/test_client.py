"""Browsers in words."""

import pytest

from console.web.client import describe

_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1",
            "Safari on iOS",
        ),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 16; K) Chrome/156.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.14.1", "unknown"),
        ("", "unknown"),
        ("<script>" * 1000, "unknown"),
    ],
)
def test_a_browser_in_words(agent, words):
    assert describe(agent) == words
