"""Workspaces and their policies about people's data."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psycopg

from console.errors import ConflictError, InvalidError, NotFoundError
from shared.db import audit
from shared.db.memberships import set_role
from shared.db.sealed import drop_ciphertexts
from shared.db.workspaces import Workspace, all_workspaces, datasets_that_send_names, insert_workspace, update_workspace
from shared.domain.sentences import sentence

BATCH = 2000
LONGEST_TITLE = 100
_NAME = re.compile(r"\w[\w .@+-]{0,63}")
SHORTEST_CLICK_DAYS, LONGEST_CLICK_DAYS = 8, 3650


def workspace_named(conn: psycopg.Connection[Any], name: str) -> Workspace:
    """The workspace of that name. Raises NotFoundError."""
    for one in all_workspaces(conn):
        if one.name == name:
            return one
    raise NotFoundError(f"There is no workspace {name!r}. `ctwa workspaces list` names those there are.")


def add_workspace(conn: psycopg.Connection[Any], name: str, *, actor: str, owner: int | None = None) -> int:
    """Adds a workspace; its id. `owner` is the user who becomes its owner, None for one who owns everything.

    Raises InvalidError and ConflictError.
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise InvalidError(
            sentence("A workspace's name begins with a letter or digit, and has letters, digits and . @ + - only.")
        )
    workspace_id = insert_workspace(conn, name)
    if workspace_id is None:
        raise ConflictError(sentence("There is a workspace of this name already. Choose another name."))
    if owner is not None:
        set_role(conn, owner, name, "owner")
    audit.record(conn, actor=actor, action="workspace.add", subject=f"workspace:{name}", workspace=name)
    return workspace_id


def change_workspace(
    conn: psycopg.Connection[Any], name: str, changes: dict[str, Any], *, actor: str
) -> dict[str, tuple[Any, Any]]:
    """Changes hash_only, keep_text, click_days or title; what changed, as field -> (before, after).

    Raises NotFoundError, InvalidError, and ConflictError when a dataset sends names that would not be kept any more.
    """
    present = workspace_named(conn, name)
    days = changes.get("click_days")
    if days is not None and not SHORTEST_CLICK_DAYS <= days <= LONGEST_CLICK_DAYS:
        raise InvalidError("Click ids are kept for 8 to 3650 days: an event can be sent for a week.")
    title = changes.get("title")
    if title is not None and not 1 <= len(title) <= LONGEST_TITLE:
        raise InvalidError(sentence("What a workspace is called has 100 characters at most."))
    differing = {field: (getattr(present, field), value) for field, value in changes.items()}
    differing = {field: pair for field, pair in differing.items() if pair[0] != pair[1]}
    if changes.get("hash_only") and (senders := datasets_that_send_names(conn, name)):
        raise ConflictError(
            f"{', '.join(senders)} sends hashed phones or e-mails, which needs the names. First: ctwa datasets set"
            f" {senders[0]} --no-send-phone --no-send-email"
        )
    if differing:
        update_workspace(conn, present.id, {field: after for field, (_, after) in differing.items()})
        audit.record(
            conn, actor=actor, action="workspace.change", subject=f"workspace:{name}", workspace=name,
            detail={"changes": {field: list(pair) for field, pair in differing.items()}},
        )  # fmt: skip
    return differing


def forget_names(
    connect: Callable[[], AbstractContextManager[psycopg.Connection[Any]]], name: str, progress: Callable[[int], None]
) -> int:
    """Drops the ciphertexts of a workspace's names, a batch a transaction; how many. The hashes stay."""
    dropped = 0
    while True:
        with connect() as conn:
            batch = drop_ciphertexts(conn, name, limit=BATCH)
        dropped += batch
        progress(dropped)
        if batch < BATCH:
            return dropped
