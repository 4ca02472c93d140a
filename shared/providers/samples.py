"""Sample webhooks that ship with the product, made new for each sending; pure but for reading our files."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from shared.providers import get_provider

#: A greater number is in milliseconds: as seconds, it would be after the year 2100.
_LATEST_SECONDS = 4_102_444_800


class UnknownSampleError(ValueError):
    """The provider has no sample of that name; the text lists those it has."""


def list_samples(provider: str) -> list[str]:
    """Return the names of a provider's samples, sorted. Raises UnknownProviderError."""
    return sorted(_files(provider))


def load_sample(
    provider: str,
    case: str,
    *,
    now: datetime,
    message_id: str | None = None,
    phone: str | None = None,
    click_id: str | None = None,
) -> bytes:
    """Return a sample's body as sent at `now`, with a new message id, click id and conversion token.

    What is new follows from the arguments alone: the same ones give the same bytes, another `now` another
    message. `phone` (digits) changes the person's other ids as well, so that another phone is another person.
    Only what the sample has is replaced: one without a click id stays without. Raises UnknownProviderError,
    UnknownSampleError.
    """
    known = _files(provider)
    if case not in known:
        raise UnknownSampleError(f"{provider} has no sample {case!r}. There are: {', '.join(sorted(known))}.")
    seed = "|".join((provider, case, now.isoformat(), phone or ""))
    click = click_id or f"AfSAMPLE{_digest('click', seed)}{_digest('click id', seed)}"
    token = base64.b64encode(f"sample {_digest('token', click)}".encode()).decode()
    new_id = f"SAMPLE.{_digest('id', seed)[:20]}-{_digest('message', seed)[:10]}"

    written = known[case].read_text("utf-8")
    is_form = not written.startswith("{")
    body = dict(parse_qsl(written.strip(), keep_blank_values=True)) if is_form else json.loads(written)
    paths = get_provider(provider).sample_paths
    # A sample's ids begin with the prefix that the provider gives real ones (`wamid.`), then SAMPLE.
    _replace(
        body,
        paths.message_ids,
        lambda old: message_id or old.partition("SAMPLE")[0] + new_id,
    )
    _replace(body, paths.times, lambda old: _in_the_form_of(old, now))
    _replace(body, paths.click_ids, lambda _: click)
    _replace(body, paths.tokens, lambda _: token)
    if phone:
        _replace(body, paths.phones, lambda old: re.sub("[0-9]+", phone, old, count=1))
        _replace(
            body,
            paths.bsuids,
            lambda _: f"US.{int(_digest('bsuid', phone)[:16], 16):020d}",
        )
    return (urlencode(body) if is_form else json.dumps(body, indent=1)).encode()


def _files(provider: str) -> dict[str, Traversable]:
    """Return a provider's samples by name. They are JSON, or forms (`.form`) where the provider posts those."""
    folder = files("shared.providers") / "samples" / get_provider(provider).name
    return {item.name.rpartition(".")[0]: item for item in folder.iterdir() if item.name.endswith((".json", ".form"))}


def _digest(purpose: str, seed: str) -> str:
    return hashlib.sha256(f"{purpose}|{seed}".encode()).hexdigest()


def _replace(body: Any, paths: tuple[str, ...], new: Callable[[Any], Any]) -> None:
    for path in paths:
        *steps, key = path.split(".")
        for holder in _holders(body, steps):
            if isinstance(holder, dict) and key in holder:
                holder[key] = new(holder[key])
            elif isinstance(holder, list) and key == "*":
                holder[:] = [new(item) for item in holder]


def _holders(node: Any, steps: list[str]) -> Iterator[Any]:
    """Yield what lies at the end of the steps; `*` is every item of a list."""
    if not steps:
        yield node
    elif steps[0] == "*":
        for item in node if isinstance(node, list) else []:
            yield from _holders(item, steps[1:])
    elif isinstance(node, dict) and steps[0] in node:
        yield from _holders(node[steps[0]], steps[1:])


def _in_the_form_of(old: Any, now: datetime) -> Any:
    """Return `now`, to the second, as the old value is written: unix seconds or milliseconds, or ISO 8601 in UTC."""
    seconds = int(now.timestamp())
    if isinstance(old, int):
        return seconds * 1000 if old > _LATEST_SECONDS else seconds
    return str(seconds) if old.isdigit() else now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
