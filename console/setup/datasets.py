"""Datasets: adding and changing them, stopping them and letting them go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from console.errors import ConflictError, NotFoundError
from console.setup.credentials import credential_named
from console.setup.schemas import DatasetSchema, load
from shared.db import audit
from shared.db.credentials import all_credentials
from shared.db.datasets import (
    Dataset,
    dataset_by_name,
    insert_dataset,
    pause_dataset,
    resume_dataset,
    update_dataset,
)
from shared.db.deliveries import apply_sending
from shared.domain.reasons import explain

#: A change to one of these is what a pause for the link between dataset and WhatsApp account waits for.
_LINK_FIELDS = frozenset({"meta_id", "waba_id", "page_id", "profile", "kind"})


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
    said = load(DatasetSchema, values, what="This dataset")
    if dataset_by_name(conn, said["name"]) is not None:
        raise ConflictError(f"There is a dataset {said['name']!r} already. `ctwa datasets set` changes it.")
    dataset_id = insert_dataset(conn, _columns(conn, said))
    audit.record(conn, actor=actor, action="dataset.add", subject=f"dataset:{said['name']}", detail=said)
    return dataset_id


def change_dataset(conn: psycopg.Connection[Any], name: str, changes: Mapping[str, Any], *, actor: str) -> Changed:
    """Changes what `changes` says and nothing else; the rest as `add_dataset`.

    Switching `sending` also moves what waits: off skips it, on lets go what a dry run held back. A change to what
    links the dataset to its WhatsApp account, or another credential, ends the pause that waited for it.
    """
    dataset = dataset_named(conn, name)
    said = load(DatasetSchema, changes, what="This change", partial=True)
    before = described(conn, dataset)
    differing = {field: (before[field], value) for field, value in said.items() if before[field] != value}
    if not differing:
        return Changed({})
    if "name" in differing and dataset_by_name(conn, said["name"]) is not None:
        raise ConflictError(f"There is a dataset {said['name']!r} already.")
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
            "changes": {k: list(v) for k, v in differing.items()},
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
        raise NotFoundError(f"There is no dataset {name!r}. `ctwa datasets list` names those there are.")
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
        "test_event_code": dataset.test_event_code,
        "test": dataset.is_test,
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


def _columns(conn: psycopg.Connection[Any], said: Mapping[str, Any]) -> dict[str, Any]:
    columns = {field: value for field, value in said.items() if field not in ("credential", "test")}
    columns["credential_id"] = credential_named(conn, said["credential"]).id if said["credential"] else None
    columns["is_test"] = said["test"]
    return columns
