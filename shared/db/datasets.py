"""The `datasets` table: where Meta takes events, whether we may send there now, and if not, why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from shared.capi.payload import DatasetProfile


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One Meta dataset and our policies for it."""

    id: int
    name: str
    meta_id: str
    kind: str
    profile: str
    waba_id: str | None
    page_id: str | None
    credential_id: int | None
    sending: str
    batch_max: int
    in_flight_max: int
    unknown_policy: dict[str, Literal["resend", "hold"]]
    #: What becomes of conversions that Meta detected itself: show, instead, echo or ignore.
    automatic_policy: str
    test_event_code: str | None
    test_event_until: datetime | None
    #: Whether the code is still sent, by Postgres's clock. Meta counts such events, our totals don't.
    test_mode: bool
    is_test: bool
    pause_reason: str | None
    pause_detail: str | None
    paused_at: datetime | None
    #: None: until somebody or a probe resumes it, if there is a pause reason.
    paused_until: datetime | None
    failures: int
    pauses: int
    probed_at: datetime | None
    #: What the last probe showed: `ok`, or a reason code.
    probe_result: str | None
    #: What becomes of events about people in restricted countries: send or skip.
    region_policy: str
    #: None: those of `shared.domain.regions`.
    restricted_countries: list[str] | None
    send_phone: bool
    send_email: bool
    #: Meta's codes of country and state; None: off.
    limited_data_use: dict[str, int] | None
    #: How many days before a sale its ad click may lie.
    attribution_days: int
    #: required: only events of people who agreed are sent.
    consent_policy: str
    allow_zero_value: bool


def profile_of(dataset: Dataset) -> DatasetProfile:
    """The contract a dataset speaks."""
    return DatasetProfile(
        profile="guide" if dataset.profile == "guide" else "whatsapp",
        waba_id=dataset.waba_id,
        page_id=dataset.page_id,
        limited_data_use=dataset.limited_data_use,
    )


_COLUMNS = (
    "id, name, meta_id, kind, profile, waba_id, page_id, credential_id, sending, batch_max, in_flight_max,"
    " unknown_policy, automatic_policy, test_event_code, test_event_until,"
    " coalesce(test_event_until > now(), false) as test_mode, is_test, pause_reason, pause_detail, paused_at,"
    " nullif(paused_until, '9999-12-31') as paused_until, failures, pauses, probed_at,"
    " probe_result, region_policy, restricted_countries, send_phone, send_email, limited_data_use,"
    " attribution_days, consent_policy, allow_zero_value"
)


def all_datasets(conn: psycopg.Connection[Any]) -> list[Dataset]:
    """Every dataset, by name."""
    with conn.cursor(row_factory=class_row(Dataset)) as cursor:
        cursor.execute(f"select {_COLUMNS} from datasets order by name")
        return cursor.fetchall()


def dataset_by_name(conn: psycopg.Connection[Any], name: str) -> Dataset | None:
    """The dataset with this name."""
    with conn.cursor(row_factory=class_row(Dataset)) as cursor:
        cursor.execute(f"select {_COLUMNS} from datasets where name = %s", [name])
        return cursor.fetchone()


def dataset_by_id(conn: psycopg.Connection[Any], dataset_id: int) -> Dataset | None:
    """The dataset with this id of ours."""
    with conn.cursor(row_factory=class_row(Dataset)) as cursor:
        cursor.execute(f"select {_COLUMNS} from datasets where id = %s", [dataset_id])
        return cursor.fetchone()


def datasets_of_credential(conn: psycopg.Connection[Any], credential_id: int) -> list[Dataset]:
    """Every dataset that sends with this credential, by name."""
    with conn.cursor(row_factory=class_row(Dataset)) as cursor:
        cursor.execute(f"select {_COLUMNS} from datasets where credential_id = %s order by name", [credential_id])
        return cursor.fetchall()


_CHANGEABLE = (
    "name", "meta_id", "kind", "profile", "waba_id", "page_id", "credential_id", "sending", "batch_max",
    "in_flight_max", "unknown_policy", "automatic_policy", "test_event_code", "test_event_until", "is_test",
    "region_policy", "restricted_countries", "send_phone", "send_email", "limited_data_use",
    "attribution_days", "consent_policy", "allow_zero_value",
)  # fmt: skip


def insert_dataset(conn: psycopg.Connection[Any], values: Mapping[str, Any]) -> int:
    """Adds a dataset; its id. `values` holds changeable columns by name; the table has defaults for most of them."""
    columns = [column for column in _CHANGEABLE if column in values]
    marks = ", ".join(f"%({column})s" for column in columns)
    row = conn.execute(
        sql.SQL(f"insert into datasets ({', '.join(columns)}) values ({marks}) returning id"), _parameters(values)
    ).fetchone()
    assert row is not None
    return int(row[0])


def update_dataset(conn: psycopg.Connection[Any], dataset_id: int, values: Mapping[str, Any]) -> None:
    """Sets those changeable columns of a dataset that `values` names. What sending on, off or dry-run does to waiting
    deliveries is `shared.db.deliveries.apply_sending`."""
    changes = ", ".join(f"{column} = %({column})s" for column in _CHANGEABLE if column in values)
    conn.execute(
        sql.SQL(f"update datasets set {changes}, updated_at = now() where id = %(id)s"),
        {**_parameters(values), "id": dataset_id},
    )


def _parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    documents = ("unknown_policy", "limited_data_use")
    return {name: Jsonb(value) if name in documents and value is not None else value for name, value in values.items()}


def live_test_code(conn: psycopg.Connection[Any], dataset_id: int) -> str | None:
    """The test code that events of this dataset carry right now, by Postgres's clock; None once its time is over."""
    row = conn.execute(
        "select test_event_code from datasets where id = %s and test_event_until > now()", [dataset_id]
    ).fetchone()
    return row[0] if row else None


def pause_dataset(
    conn: psycopg.Connection[Any],
    dataset_id: int,
    *,
    reason: str,
    detail: str | None,
    seconds: float | None = None,
) -> None:
    """Stops claims for this dataset: for `seconds`, or until somebody resumes it.

    A pause that ends by itself never replaces one that doesn't, and none that we make replaces a person's.
    """
    conn.execute(
        """
        update datasets set pause_reason = %(reason)s, pause_detail = %(detail)s, paused_at = now(),
               paused_until = case when %(seconds)s::float8 is null then '9999-12-31'
                   else now() + make_interval(secs => %(seconds)s) end,
               pauses = case when %(reason)s = 'meta_down' then pauses + 1 else pauses end,
               updated_at = now()
        where id = %(id)s and (paused_until is distinct from '9999-12-31' or %(seconds)s::float8 is null)
          and (pause_reason is distinct from 'by_hand' or %(reason)s = 'by_hand')
        """,
        {"id": dataset_id, "reason": reason, "detail": detail, "seconds": seconds},
    )


def resume_dataset(conn: psycopg.Connection[Any], dataset_id: int, *, only: Collection[str] | None = None) -> bool:
    """Ends a pause, of these reasons `only` if given, and forgets past failures; False if there was no such pause."""
    cursor = conn.execute(
        """
        update datasets set pause_reason = null, pause_detail = null, paused_at = null, paused_until = null,
               failures = 0, pauses = 0, updated_at = now()
        where id = %(id)s and pause_reason is not null
          and (%(only)s::text[] is null or pause_reason = any(%(only)s::text[]))
        """,
        {"id": dataset_id, "only": None if only is None else list(only)},
    )
    return cursor.rowcount == 1


def count_failure(conn: psycopg.Connection[Any], dataset_id: int) -> tuple[int, int]:
    """One more request in a row without a usable answer: how many in a row now, and how many pauses for it so far."""
    row = conn.execute(
        "update datasets set failures = failures + 1 where id = %s returning failures, pauses", [dataset_id]
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def forget_failures(conn: psycopg.Connection[Any], dataset_id: int) -> None:
    """Meta answered: ends a meta_down pause whose time is up, and starts counting afresh."""
    conn.execute(
        """
        update datasets set failures = 0, pauses = 0,
               pause_reason = case when pause_reason = 'meta_down' then null else pause_reason end,
               pause_detail = case when pause_reason = 'meta_down' then null else pause_detail end,
               paused_at = case when pause_reason = 'meta_down' then null else paused_at end,
               paused_until = case when pause_reason = 'meta_down' then null else paused_until end
        where id = %s and (failures > 0 or pauses > 0)
        """,
        [dataset_id],
    )


def claim_probes(conn: psycopg.Connection[Any], *, every_seconds: int, paused_every_seconds: int) -> list[int]:
    """The datasets whose probe is due, more often while they are paused for what a probe can see the end of.

    They count as probed from now on, so that two probers never take the same one.
    """
    rows = conn.execute(
        """
        update datasets set probed_at = now() where id in (
            select id from datasets
            where credential_id is not null and sending <> 'off'
              and (probed_at is null or probed_at < now() - make_interval(secs =>
                   case when pause_reason in ('token', 'permission') then %s else %s end))
            order by probed_at nulls first limit 50 for update skip locked
        ) returning id
        """,
        [paused_every_seconds, every_seconds],
    ).fetchall()
    return [dataset_id for (dataset_id,) in rows]


def ask_for_probe(conn: psycopg.Connection[Any], dataset_id: int) -> None:
    """Makes a probe of this dataset due now; what the last one showed is forgotten until then."""
    conn.execute("update datasets set probed_at = null, probe_result = null where id = %s", [dataset_id])


def record_probe(conn: psycopg.Connection[Any], dataset_id: int, result: str) -> None:
    """Keeps what a probe showed: `ok`, or a reason code."""
    conn.execute("update datasets set probe_result = %s where id = %s", [result, dataset_id])
