"""Makes hostile bodies of real ones: of a payload's nodes, and of its bytes. The same steps give the same body."""

import copy
import gzip
import json
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeAlias

from hypothesis import strategies as st

from shared.providers import PROVIDERS
from tests.unit.shared.providers.cases import bodies, json_cases, load, provider_of

#: What to do, where, and with what.
Step: TypeAlias = tuple[str, int, int]

#: The names of click ids at any provider.
CLICK_KEYS = sorted(
    {path.rpartition(".")[2] for provider in PROVIDERS.values() for path in provider.click_id_paths}
    | {"ctwa", "ctwaClid", "ctwa_clid", "ctwaClickId", "ReferralCtwaClid", "clid"}
)
#: The names of objects that hold one.
AD_KEYS = ("referral", "externalAdReply", "ad", "contextInfo", "context", "referralObject", "quotedAd", "quotedMessage")
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**39, 0.5, "", " ", "null", "0", "true", "\x00", "\ud800", "\u202e", "x" * 5000,
    [], {}, [[]], [{}], {"": ""}, "120200000000000001", "15550100123@s.whatsapp.net", "status@broadcast", "1@g.us",
)  # fmt: skip
TAINTS = ("\x00", "\ud800", "\u202e\n", "x" * 10_000)
TOKENS = (
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\ud800", b"\\u0000", b"NaN", b"-Infinity", b"1e999", b"9" * 60,
    b"[" * 80, b"null", b"true", b"\x00", b"\xff", b"\xef\xbb\xbf", b"%00", b"%ff", b"&", b"=", b"+", b"\r\n",
    b"\x1f\x8b",
)  # fmt: skip
NODE_STEPS = (
    "drop",
    "value",
    "graft",
    "rename",
    "copy",
    "move",
    "wrap",
    "repeat",
    "text",
    "taint",
    "plant",
    "plant ad",
)
BYTE_STEPS = ("flip", "cut", "token", "repeat", "splice", "end")
#: Ways to write the same text.
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gzip")


def steps(kinds: tuple[str, ...]) -> st.SearchStrategy[list[Step]]:
    """Some steps to mutate a body by."""
    number = st.integers(0, 2**31)
    return st.lists(st.tuples(st.sampled_from(kinds), number, number), min_size=1, max_size=5)


@cache
def cases_of(provider: str, *, only_json: bool = False) -> tuple[str, ...]:
    """The names of a provider's fixtures and samples."""
    named = json_cases() if only_json else list(bodies())
    return tuple(case for case in named if provider_of(case) == provider)


@cache
def bytes_of(case: str) -> bytes:
    return bodies()[case].read_bytes()


def mutate_nodes(case: str, chosen: list[Step]) -> Any:
    """The case's payload after these steps; always JSON, though perhaps no object any more."""
    root = {"": copy.deepcopy(load(case))}
    for number, step in enumerate(chosen):
        places = list(_places(root))
        if not places:
            break
        _apply(step, number, places)
    return root.get("", {})


def plant_everywhere(case: str) -> Iterator[Any]:
    """Yields the case's payload with click ids and ad blocks planted in one object, for each of its objects.

    What is there already stays. No two planted click ids are equal, so that each tells where it was found.
    """
    root = {"": load(case)}
    for holder, key in list(_places(root)):
        node = holder[key]
        if isinstance(node, dict):
            blocks = {name: _block(name) | {inner: _block(f"{name}.{inner}") for inner in AD_KEYS} for name in AD_KEYS}
            holder[key] = _block("here") | blocks | node
            yield root[""]
            holder[key] = node


def _block(place: str) -> dict[str, Any]:
    """An ad block in every provider's words."""
    ids = {"id": "1202", "type": "ad", "source_id": "1202", "sourceId": "1202", "sourceType": "ad", "source_type": "ad"}
    return {name: f"AfPLANTED-{place}-{name}" for name in CLICK_KEYS} | ids


def _apply(step: Step, number: int, places: list[tuple[Any, Any]]) -> None:
    kind, where, what = step
    holder, key = places[where % len(places)]
    node = holder[key]
    other_holder, other_key = places[what % len(places)]
    if kind == "drop":
        del holder[key]
    elif kind == "value":
        holder[key] = copy.deepcopy(VALUES[what % len(VALUES)])
    elif kind == "graft":
        holder[key] = copy.deepcopy(_material()[what % len(_material())])
    elif kind == "rename" and isinstance(holder, dict):
        holder[_keys()[what % len(_keys())]] = holder.pop(key)
    elif kind == "copy":
        holder[key] = copy.deepcopy(other_holder[other_key])
    elif kind == "move":
        moved = copy.deepcopy(other_holder.pop(other_key))
        _put(holder, key, moved)
    elif kind == "wrap":
        holder[key] = [node] if what % 2 else {_keys()[what % len(_keys())]: node}
    elif kind == "repeat" and isinstance(node, list):
        node.extend(copy.deepcopy(node))
    elif kind == "text":
        holder[key] = json.dumps(node) if isinstance(node, dict | list) else str(node)
    elif kind == "taint" and isinstance(node, dict):
        node |= {name: value + TAINTS[what % len(TAINTS)] for name, value in node.items() if isinstance(value, str)}
    elif kind == "plant":
        _put(node, CLICK_KEYS[what % len(CLICK_KEYS)], f"AfPLANTED{number}x{what}")
    elif kind == "plant ad":
        _put(node, AD_KEYS[what % len(AD_KEYS)], _block(f"{number}x{what}"))


def _put(node: Any, key: Any, value: Any) -> None:
    """Puts a value into an object under a key, or at a list's end; anything else has no room for it."""
    if isinstance(node, dict):
        node[key if isinstance(key, str) else "moved"] = value
    elif isinstance(node, list):
        node.append(value)


def mutate_bytes(case: str, chosen: list[Step]) -> bytes:
    """The case's body after these steps."""
    body = bytearray(bytes_of(case))
    others = list(bodies())
    for kind, where, what in chosen:
        at = where % (len(body) + 1)
        if kind == "flip" and at < len(body):
            body[at] ^= 1 << what % 8
        elif kind == "cut":
            del body[at : at + what % 40 + 1]
        elif kind == "token":
            body[at:at] = TOKENS[what % len(TOKENS)]
        elif kind == "repeat":
            body[at:at] = body[at : at + what % 200]
        elif kind == "splice":
            other = bytes_of(others[what % len(others)])
            body[at:] = other[what % (len(other) + 1) :]
        elif kind == "end":
            del body[at:]
    return bytes(body)


def encode(text: str, encoding: str) -> bytes:
    """The same JSON text as other bytes."""
    return gzip.compress(text.encode(), 1, mtime=0) if encoding == "gzip" else text.encode(encoding)


@cache
def _material() -> list[Any]:
    """Every object and list of every provider's fixtures."""
    return [
        node for case in json_cases() for holder, key in _places({"": load(case)})
        if isinstance(node := holder[key], dict | list)
    ]  # fmt: skip


@cache
def _keys() -> list[str]:
    return sorted({key for case in json_cases() for _, key in _places(load(case)) if isinstance(key, str)})


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])
