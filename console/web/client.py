"""Where a request comes from, as far as it is kept of a session."""

from flask import request

from console.team.sessions import Client
from console.team.throttle import network_of

#: The first that is found wins: others pretend to be Safari and Chrome.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def client() -> Client:
    """The browser in words, and the first part of the address."""
    return Client(agent=describe(request.user_agent.string), network=network_of(request.remote_addr))


def describe(agent: str) -> str:
    """ "Firefox on Linux", or as much of that as can be told."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " on ".join(word for word in (browser, system) if word) or "unknown"
