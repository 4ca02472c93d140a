"""Datasets: adding and changing them, stopping them and letting them go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from console.errors import ConflictError, InvalidError, NotFoundError
from console.setup.credentials import credential_named
from console.setup.schemas import DatasetSchema, load
from shared.db import audit
from shared.db.credentials import all_credentials
from shared.db.datasets import (
    Dataset,
    ask_for_probe,
    dataset_by_name,
    insert_dataset,
    pause_dataset,
    resume_dataset,
    update_dataset,
)
from shared.db.deliveries import apply_sending
from shared.db.workspaces import hash_only_spaces_of
from shared.domain.reasons import explain
from shared.domain.sentences import sentence

#: A change to one of these is what a pause for the link between dataset and WhatsApp account waits for.
_LINK_FIELDS = frozenset({"meta_id", "waba_id", "page_id", "profile", "kind"})
#: Meta counts test events, so a test code is never left on for longer.
TEST_MODE_USUALLY = timedelta(hours=1)
TEST_MODE_AT_MOST = timedelta(hours=24)


@dataclass(frozen=True)
class Changed:
    """What a change came to: field -> (before, after), whether a pause ended, how many deliveries moved."""

    fields: Mapping[str, tuple[Any, Any]]
    resumed: bool = False
    deliveries: int = 0

    @property
    def wakes(self) -> bool:
        """Whether there may be something to send now."""
        return bool(self.fields) or self.resumed


def add_dataset(conn: psycopg.Connection[Any], values: Mapping[str, Any], *, actor: str) -> int:
    """Adds a dataset; its id. `values` are DatasetSchema's.

    Raises InvalidError, ConflictError, and NotFoundError for an unknown credential.
    """
    said = load(DatasetSchema, values, what=sentence("This dataset"))
    if dataset_by_name(conn, said["name"]) is not None:
        raise ConflictError(
            sentence("There is a dataset {name!r} already. `ctwa datasets set` changes it.", name=said["name"])
        )
    said |= _test_mode(conn, None, said)
    dataset_id = insert_dataset(conn, _columns(conn, said))
    audit.record(conn, actor=actor, action="dataset.add", subject=f"dataset:{said['name']}", detail=_auditable(said))
    return dataset_id


def change_dataset(conn: psycopg.Connection[Any], name: str, changes: Mapping[str, Any], *, actor: str) -> Changed:
    """Changes what `changes` says and nothing else; the rest as `add_dataset`.

    Switching `sending` also moves what waits: off skips it, on lets go what a dry run held back. A change to what
    links the dataset to its WhatsApp account, or another credential, ends the pause that waited for it.
    """
    dataset = dataset_named(conn, name)
    said = load(DatasetSchema, changes, what=sentence("This change"), partial=True)
    before = described(conn, dataset)
    said |= _test_mode(conn, before["test_event_code"], said)
    differing = {field: (before[field], value) for field, value in said.items() if before[field] != value}
    if not differing:
        return Changed({})
    if (said.get("send_phone") or said.get("send_email")) and (spaces := hash_only_spaces_of(conn, dataset.id)):
        raise ConflictError(
            sentence(
                "Workspace {names} keeps names as hashes only, so there is no phone or e-mail to send.",
                names=", ".join(spaces),
            )
        )
    if "name" in differing and dataset_by_name(conn, said["name"]) is not None:
        raise ConflictError(sentence("There is a dataset {name!r} already.", name=said["name"]))
    update_dataset(conn, dataset.id, _columns(conn, {**before, **said}))
    moved = apply_sending(conn, dataset.id, said["sending"]) if "sending" in differing else 0
    ends = (dataset.pause_reason == "link" and bool(_LINK_FIELDS & differing.keys())) or (
        dataset.pause_reason in ("token", "permission") and "credential" in differing
    )
    resumed = ends and resume_dataset(conn, dataset.id)
    audit.record(
        conn,
        actor=actor,
        action="dataset.change",
        subject=f"dataset:{dataset.name}",
        detail={
            "changes": {k: [_auditable(value) for value in v] for k, v in differing.items()},
            "resumed": resumed,
            "deliveries": moved,
        },
    )
    return Changed(differing, resumed, moved)


def pause(conn: psycopg.Connection[Any], name: str, *, detail: str | None, actor: str) -> None:
    """Stops sending to a dataset by hand; what comes waits. Raises NotFoundError."""
    dataset = dataset_named(conn, name)
    pause_dataset(conn, dataset.id, reason="by_hand", detail=detail)
    audit.record(conn, actor=actor, action="dataset.pause", subject=f"dataset:{name}", detail={"detail": detail})


def probe(conn: psycopg.Connection[Any], name: str, *, actor: str) -> None:
    """Has the workers try the dataset's token within a minute, without making an event. Raises NotFoundError."""
    dataset = dataset_named(conn, name)
    ask_for_probe(conn, dataset.id)
    audit.record(conn, actor=actor, action="dataset.probe", subject=f"dataset:{name}")


def resume(conn: psycopg.Connection[Any], name: str, *, actor: str) -> bool:
    """Ends a pause, whatever its reason; False if there was none. Raises NotFoundError."""
    dataset = dataset_named(conn, name)
    if not resume_dataset(conn, dataset.id):
        return False
    audit.record(
        conn,
        actor=actor,
        action="dataset.resume",
        subject=f"dataset:{name}",
        detail={"reason": dataset.pause_reason},
    )
    return True


def dataset_named(conn: psycopg.Connection[Any], name: str) -> Dataset:
    """The dataset of that name. Raises NotFoundError."""
    dataset = dataset_by_name(conn, name)
    if dataset is None:
        raise NotFoundError(
            sentence("There is no dataset {name!r}. `ctwa datasets list` names those there are.", name=name)
        )
    return dataset


def described(conn: psycopg.Connection[Any], dataset: Dataset) -> dict[str, Any]:
    """A dataset in DatasetSchema's words."""
    names = {credential.id: credential.name for credential in all_credentials(conn)}
    return {
        "name": dataset.name,
        "meta_id": dataset.meta_id,
        "kind": dataset.kind,
        "profile": dataset.profile,
        "waba_id": dataset.waba_id,
        "page_id": dataset.page_id,
        "credential": names.get(dataset.credential_id or 0),
        "sending": dataset.sending,
        "batch_max": dataset.batch_max,
        "in_flight_max": dataset.in_flight_max,
        "unknown": dataset.unknown_policy,
        "automatic": dataset.automatic_policy,
        "test_event_code": dataset.test_event_code,
        "test_event_until": dataset.test_event_until,
        "regions": dataset.region_policy,
        "restricted_countries": dataset.restricted_countries,
        "send_phone": dataset.send_phone,
        "send_email": dataset.send_email,
        "limited_data_use": dataset.limited_data_use,
        "attribution_days": dataset.attribution_days,
        "consent": dataset.consent_policy,
        "allow_zero_value": dataset.allow_zero_value,
        "test": dataset.is_test,
    }


def test_mode_of(dataset: Dataset) -> dict[str, Any] | None:
    """What to say loudly while a dataset's events carry a test code; None when they don't."""
    if not dataset.test_mode:
        return None
    return {
        "until": dataset.test_event_until,
        "words": "TEST MODE: Meta counts the events sent now, and the totals here leave them out.",
        "next_step": f'End it when you are done: ctwa datasets set {dataset.name} --test-event-code ""',
    }


def explained_pause(dataset: Dataset) -> dict[str, Any] | None:
    """Why a dataset is paused, in plain words and with what to do; None when it isn't.

    `until` is None for a pause that somebody or a probe has to end.
    """
    if dataset.pause_reason is None:
        return None
    # What the workers write as detail is a reason code; what a person writes is a note.
    by_hand = dataset.pause_reason == "by_hand" or not dataset.pause_detail
    reason = explain(dataset.pause_reason if by_hand else str(dataset.pause_detail))
    return {
        "reason": dataset.pause_reason,
        "detail": dataset.pause_detail,
        "words": reason.words,
        "next_step": reason.next_step,
        "since": dataset.paused_at,
        "until": dataset.paused_until,
    }


def _test_mode(conn: psycopg.Connection[Any], present: str | None, said: Mapping[str, Any]) -> dict[str, Any]:
    """When a test code that was said ends, by Postgres's clock; none without a code. Raises InvalidError."""
    if "test_event_code" not in said and "test_event_until" not in said:
        return {}
    code, until = said.get("test_event_code", present), said.get("test_event_until")
    if code is None:
        if until:
            raise InvalidError(
                sentence("A time for a test event code needs the code as well (--test-event-code CODE).")
            )
        return {"test_event_code": None, "test_event_until": None}
    if code == present and until is None:
        return {}
    now = database_now(conn)
    until = until or now + TEST_MODE_USUALLY
    if until > now + TEST_MODE_AT_MOST:
        raise InvalidError(
            sentence("A test event code may last 24 hours at most: Meta counts the events sent with it.")
        )
    return {"test_event_code": code, "test_event_until": until}


def database_now(conn: psycopg.Connection[Any]) -> datetime:
    """What time it is for Postgres, which decides when a test code is over."""
    row = conn.execute("select now()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


def _auditable(value: Any) -> Any:
    """A value as the audit log can keep it."""
    if isinstance(value, Mapping):
        return {name: _auditable(inner) for name, inner in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


#: Fields whose column has another name.
_RENAMED = frozenset({"credential", "test", "unknown", "automatic", "regions", "consent"})


def _columns(conn: psycopg.Connection[Any], said: Mapping[str, Any]) -> dict[str, Any]:
    columns = {field: value for field, value in said.items() if field not in _RENAMED}
    columns["unknown_policy"] = said["unknown"]
    columns["automatic_policy"] = said["automatic"]
    columns["region_policy"] = said["regions"]
    columns["consent_policy"] = said["consent"]
    columns["credential_id"] = credential_named(conn, said["credential"]).id if said["credential"] else None
    columns["is_test"] = said["test"]
    return columns
