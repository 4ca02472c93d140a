"""Probes: whether a token may still write to its dataset, found out without creating an event.

A request with empty `data` is refused, but only after Meta has checked token, dataset and permission
(docs/meta-set-up.md). So a dead token is known before an event fails for it, and a mended one before a person looks.
"""

from shared.capi.answers import Answer, PauseReason, Verdict, proves_access
from shared.capi.inspection import Inspection
from shared.crypto import CannotDecrypt
from shared.db.credentials import claim_inspections, credential_by_id, record_inspection
from shared.db.datasets import claim_probes, dataset_by_id, pause_dataset, record_probe, resume_dataset
from shared.logs import get_logger
from shared.queue import Work
from workers.access import NoAccess, open_access
from workers.runtime import Runtime

log = get_logger(__name__)

EVERY_SECONDS = 3600
PAUSED_EVERY_SECONDS = 300
#: A token's end moves only when somebody renews it.
INSPECT_EVERY_SECONDS = 6 * 3600
#: Pauses whose end a probe can see. A wrong link shows only with a real event.
PROBEABLE = frozenset({PauseReason.TOKEN.value, PauseReason.PERMISSION.value})


def probe_due(runtime: Runtime) -> dict[str, str]:
    """Probes every dataset whose time has come; what each showed, by name."""
    with runtime.pool.connection() as conn:
        ids = claim_probes(conn, every_seconds=EVERY_SECONDS, paused_every_seconds=PAUSED_EVERY_SECONDS)
    results = {}
    for dataset_id in ids:
        if runtime.stopping.is_set():
            break
        name, result = probe_dataset(runtime, dataset_id)
        results[name] = result
    return results


def inspect_due(runtime: Runtime) -> dict[str, str]:
    """Asks Meta about every token whose time has come: when it ends, what it may do. What came of it, by name."""
    with runtime.pool.connection() as conn:
        ids = claim_inspections(conn, every_seconds=INSPECT_EVERY_SECONDS)
    results: dict[str, str] = {}
    for credential_id in ids:
        if runtime.stopping.is_set():
            break
        with runtime.pool.connection() as conn:
            credential = credential_by_id(conn, credential_id)
        if credential is None:
            continue
        try:
            found = runtime.graph.inspect(runtime.token_ring.open(credential.token).decode())
        except CannotDecrypt:
            found = Inspection(result="cannot_decrypt")
        with runtime.pool.connection() as conn:
            record_inspection(conn, credential, found)
        results[credential.name] = found.result
    return results


def probe_dataset(runtime: Runtime, dataset_id: int) -> tuple[str, str]:
    """Probes one dataset now, and pauses or resumes it by the answer; its name, and `ok` or a reason code."""
    with runtime.pool.connection() as conn:
        dataset = dataset_by_id(conn, dataset_id)
        assert dataset is not None
        credential = credential_by_id(conn, dataset.credential_id) if dataset.credential_id else None
    access = open_access(runtime.token_ring, dataset, credential)
    if isinstance(access, NoAccess):
        return dataset.name, _record(runtime, dataset_id, access.detail)
    answer = runtime.graph.probe(dataset.meta_id, access.token)
    if proves_access(answer):
        if dataset.pause_reason in PROBEABLE:
            _resume(runtime, dataset_id, dataset.name)
        return dataset.name, _record(runtime, dataset_id, "ok")
    if dataset.pause_reason is None:
        _pause(runtime, dataset_id, dataset.name, answer)
    return dataset.name, _record(runtime, dataset_id, answer.reason or "no_answer")


def _record(runtime: Runtime, dataset_id: int, result: str) -> str:
    with runtime.pool.connection() as conn:
        record_probe(conn, dataset_id, result)
    return result


def _resume(runtime: Runtime, dataset_id: int, name: str) -> None:
    with runtime.pool.connection() as conn:
        # While the probe was under way a person may have paused it for reasons of their own.
        resumed = resume_dataset(conn, dataset_id, only=PROBEABLE)
    if not resumed:
        return
    runtime.bell.ring(Work.SENDING)
    log.info("dataset resumed", dataset=name, by="probe")


def _pause(runtime: Runtime, dataset_id: int, name: str, answer: Answer) -> None:
    """Stops sending before an event fails, if the answer says that the set-up is at fault."""
    if answer.verdict is not Verdict.CONFIG or answer.pause is None or answer.pause.value not in PROBEABLE:
        return
    with runtime.pool.connection() as conn:
        pause_dataset(conn, dataset_id, reason=answer.pause.value, detail=answer.reason)
    log.warning("dataset paused", dataset=name, reason=answer.pause.value, detail=answer.reason, by="probe")
