"""Erasing people: the requests of the table `erasures`, worked off in small steps that can all be repeated.

First the person is forgotten in one transaction: names become tombstones, which keep intake from reading older messages
in again, and what waits to be sent is skipped. Then rows are wiped, and every raw body of the workspace is searched.
A process that is killed loses its last step, and the next one takes it up again.
"""

import time
from typing import Any

import psycopg

from shared.crypto import CannotDecrypt, HashRing, KeyRing
from shared.db import audit
from shared.db.erasures import Erasure, count_deleted, move_cursor, next_step, take_erasure
from shared.db.persons import clicks_of, identities_of
from shared.db.tombstones import bury
from shared.db.wiping import (
    KeptWebhook,
    delete_bodies,
    forget_contacts,
    is_unread,
    reported_in,
    still_there,
    webhooks_after,
    wipe_conversions,
    wipe_history,
    wipe_messages,
    wipe_requests,
    wipe_touchpoints,
    withhold_of,
)
from shared.logs import get_logger
from shared.naming import name_hashes
from shared.queue import Work
from shared.wanted import Wanted
from workers.runtime import Runtime
from workers.searching import Search

log = get_logger(__name__)

#: A drain stops after this, rings again and returns: no time limit ends it.
DRAIN_SECONDS = 20
#: Rows changed in one transaction.
BATCH = 500


def drain(runtime: Runtime, *, seconds: float = DRAIN_SECONDS) -> int:
    """Works on requests until there are none, one has to wait, or `seconds` are over; how many steps it took."""
    runtime.bell.answer(Work.ERASING)
    ends = time.monotonic() + seconds
    steps = 0
    while time.monotonic() < ends and not runtime.stopping.is_set():
        with runtime.pool.connection() as conn:
            erasure = take_erasure(conn)
            if erasure is None or not _take_step(runtime, conn, erasure):
                return steps
        steps += 1
    runtime.bell.ring(Work.ERASING)
    return steps


def _take_step(runtime: Runtime, conn: psycopg.Connection[Any], erasure: Erasure) -> bool:
    """One small step, in the caller's transaction; False when it has to wait for something."""
    match erasure.step:
        case "forget":
            _forget(conn, erasure, runtime.secret_ring, runtime.identities.hash_ring)
        case "rows":
            _wipe_rows(conn, erasure)
        case _:
            return _search_webhooks(conn, erasure, runtime.secret_ring, runtime.identities.hash_ring)
    return True


def _forget(conn: psycopg.Connection[Any], erasure: Erasure, secrets: KeyRing, ring: HashRing) -> None:
    """The person is nobody from here on: no name leads to the contacts, and nothing more is sent about them."""
    given = Wanted.from_json(secrets.open(erasure.names)) if erasure.names else Wanted()
    names, hashes, buried = list(given.names), list(given.hashes), []
    for identity in identities_of(conn, erasure.contact_ids):
        buried.append((identity.kind, identity.hash_key, identity.hash))
        value = _opened(secrets, identity.ciphertext)
        if value is None:
            hashes.append((identity.kind, identity.hash.hex()))
        else:
            names.append((identity.kind, value))
    buried += [(kind, one.key_id, one.digest) for kind, value in names for one in name_hashes(ring, kind, value)]
    bury(conn, erasure.workspace, buried)
    wanted = Wanted(
        names=list(dict.fromkeys(names)),
        texts=clicks_of(conn, erasure.contact_ids),
        hashes=list(dict.fromkeys(hashes)),
    )
    forget_contacts(conn, erasure.contact_ids)
    skipped = withhold_of(conn, erasure.contact_ids)
    next_step(conn, erasure.id, "rows", names=secrets.seal(wanted.as_json()))
    log.info("person forgotten", erasure_id=erasure.id, contact_ids=erasure.contact_ids, deliveries_skipped=skipped)


def _opened(ring: KeyRing, ciphertext: bytes | None) -> str | None:
    try:
        return None if ciphertext is None else ring.open(ciphertext).decode("utf-8", "surrogatepass")
    except CannotDecrypt:
        return None


def _wipe_rows(conn: psycopg.Connection[Any], erasure: Erasure) -> None:
    if not _wipe_batch(conn, erasure):
        next_step(conn, erasure.id, "webhooks", names=erasure.names)


def _wipe_batch(conn: psycopg.Connection[Any], erasure: Erasure) -> bool:
    """A batch of the person's rows, and the raw bodies that brought them; whether there may be more."""
    contacts = erasure.contact_ids
    brought = wipe_messages(conn, contacts, limit=BATCH)
    count_deleted(conn, erasure.id, delete_bodies(conn, brought))
    if brought or wipe_requests(conn, contacts, limit=BATCH):
        return True
    wipe_conversions(conn, contacts)
    wipe_touchpoints(conn, contacts)
    wipe_history(conn, contacts)
    count_deleted(conn, erasure.id, delete_bodies(conn, reported_in(conn, contacts)))
    return False


def _search_webhooks(conn: psycopg.Connection[Any], erasure: Erasure, secrets: KeyRing, ring: HashRing) -> bool:
    """A batch of raw bodies; after the last, the end. Waits until intake has read what came before the request."""
    assert erasure.names is not None
    if erasure.cursor_at is None and is_unread(conn, erasure.workspace, until=erasure.requested_at):
        return False
    search = Search(Wanted.from_json(secrets.open(erasure.names)), ring)
    after = (erasure.cursor_at, erasure.cursor_id) if erasure.cursor_at and erasure.cursor_id else None
    webhooks = webhooks_after(conn, erasure.workspace, after, until=erasure.requested_at)
    if webhooks:
        found = [(one.received_at, one.id) for one in webhooks if _is_in(search, one, secrets)]
        last = webhooks[-1]
        deleted = delete_bodies(conn, found)
        move_cursor(conn, erasure.id, last.received_at, last.id, read=len(webhooks), deleted=deleted)
        return True
    return _finish(conn, erasure)


def _is_in(search: Search, webhook: KeptWebhook, ring: KeyRing) -> bool:
    try:
        return search.is_in(webhook, ring.open(webhook.body))
    except CannotDecrypt:
        # Nobody can read it, here or anywhere; it goes when its time is over.
        return False


def _finish(conn: psycopg.Connection[Any], erasure: Erasure) -> bool:
    """Ends the request, or wipes once more what came in while it ran; waits for events that are being sent."""
    forget_contacts(conn, erasure.contact_ids)
    _wipe_batch(conn, erasure)
    if still_there(conn, erasure.contact_ids):
        return False
    next_step(conn, erasure.id, "done", names=None)
    audit.record(
        conn,
        actor=erasure.requested_by,
        action="contact.erased",
        subject=f"contact:{min(erasure.contact_ids)}",
        detail={
            "erasure": erasure.id,
            "contacts": erasure.contact_ids,
            "webhooks_read": erasure.webhooks_read,
            "bodies_deleted": erasure.bodies_deleted,
        },
    )
    log.info("person erased", erasure_id=erasure.id, contact_ids=erasure.contact_ids)
    return True
