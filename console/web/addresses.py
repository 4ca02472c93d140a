"""Addresses that a request names: only pages of ours are gone to."""

from flask import url_for

from console.web.runtime import runtime


def safe_next(wanted: str | None) -> str | None:
    """The path to go to afterwards; None when it would lead anywhere else."""
    if not wanted or not wanted.startswith("/") or wanted.startswith("//") or len(wanted) > 2000:
        return None
    if any(character <= " " or character in '\\"<>\x7f' for character in wanted):
        return None
    return wanted


def whole_link(token: str) -> str:
    """A one-time link as it is given to a person."""
    return runtime().settings.console_url + url_for("links.page", token=token)
