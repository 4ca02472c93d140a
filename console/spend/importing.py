"""Importing spend: what each line would do to an account, and doing it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import psycopg

from console.roi.question import EARLIEST, LATEST
from console.spend.file import FileRow, Line, SpendFile
from shared.db import audit
from shared.db.ad_accounts import AdAccount, update_account
from shared.db.ads import Ad, save_ads, save_names
from shared.db.spend import Spend, known_days, note_days, save_spend, stored_spend
from shared.domain.reasons import explain

#: What a line would do; any other verdict is a reason code of shared.domain.reasons.SPEND.
NEW, CHANGED, SAME = "new", "changed", "same"
#: Of an amount; Meta gives two, and no column takes any number of them.
_MOST_DECIMALS = 20


@dataclass(frozen=True)
class Judged:
    """A line with its verdict, and the row it would store."""

    line: Line
    verdict: str
    spend: Spend | None = None

    @property
    def is_refused(self) -> bool:
        return self.verdict not in (NEW, CHANGED, SAME)


def judge_lines(
    conn: psycopg.Connection[Any], account: AdAccount, lines: Sequence[Line], *, source: str = "csv"
) -> list[Judged]:
    """What each line would do. Days that Meta gave, another currency and another level of a day are refused."""
    days = [line.row.day for line in lines if line.row and EARLIEST <= line.row.day <= LATEST]
    if not days:
        return [Judged(line, line.problem or "date_invalid") for line in lines]
    first, last = min(days), max(days)
    known = {one.day: (one.level, one.source) for one in known_days(conn, account.id, first, last)}
    stored = {(one.level, one.object_id, one.day): one for one in stored_spend(conn, account.id, first, last)}
    currency = account.currency or next((line.row.currency for line in lines if line.row and line.row.currency), None)
    seen: set[tuple[str, str, date]] = set()
    judged = []
    for line in lines:
        one = _judge(account, line, currency, known, stored, seen, source)
        judged.append(one)
    return judged


def _judge(
    account: AdAccount,
    line: Line,
    currency: str | None,
    known: dict[date, tuple[str, str]],
    stored: Mapping[tuple[str, str, date], Spend],
    seen: set[tuple[str, str, date]],
    source: str,
) -> Judged:
    row = line.row
    if row is None:
        return Judged(line, line.problem or "date_invalid")
    level, owner = known.setdefault(row.day, (row.level, source))
    key = (row.level, row.object_id, row.day)
    problem = _problem(row, currency, level, owner, is_double=key in seen)
    if problem:
        return Judged(line, problem)
    seen.add(key)
    assert currency is not None
    spend = Spend(
        account_id=account.id, day=row.day, level=row.level, object_id=row.object_id, currency=row.currency or currency,
        spend=row.spend, source=source, **row.counts,
    )  # fmt: skip
    before = stored.get(key)
    if before is None:
        return Judged(line, NEW, spend)
    return Judged(line, SAME if replace(before, source=source) == spend else CHANGED, spend)


def _problem(row: FileRow, currency: str | None, level: str, owner: str, *, is_double: bool) -> str | None:
    if not EARLIEST <= row.day <= LATEST:
        return "date_invalid"
    if int(row.spend.as_tuple().exponent) < -_MOST_DECIMALS:
        return "number_invalid"
    if currency is None:
        return "spend_currency_unknown"
    if (row.currency or currency) != currency:
        return "spend_currency_differs"
    if owner == "meta":
        return "day_from_meta"
    if level != row.level:
        return "other_level"
    return "twice_in_file" if is_double else None


def refused_heading(read: SpendFile) -> list[str]:
    """The heading of a file with the lines that can't be used."""
    return [*read.heading, "line", "reason", "what to do"]


def refused_rows(judged: Iterable[Judged]) -> Iterator[list[str]]:
    """Each line that can't be used, as it stood, with its number and why."""
    for one in judged:
        if one.is_refused:
            reason = explain(one.verdict)
            yield [*one.line.cells, str(one.line.number), one.verdict, f"{reason.words} {reason.next_step}"]


def store(
    conn: psycopg.Connection[Any], account: AdAccount, judged: Sequence[Judged], *, actor: str, source: str = "csv"
) -> int:
    """Stores what is new or changed, in the caller's transaction; how many rows. Nothing new: nothing is written."""
    chosen = [one for one in judged if one.spend and one.verdict in (NEW, CHANGED)]
    if not chosen:
        return 0
    rows = [one.spend for one in chosen if one.spend]
    if account.currency is None:
        update_account(conn, account.id, {"currency": rows[0].currency})
    for level in sorted({row.level for row in rows}):
        note_days(conn, account.id, [row.day for row in rows if row.level == level], level, source)
    stored = save_spend(conn, rows)
    _keep_names(conn, account.id, [one.line.row for one in chosen if one.line.row])
    verdicts = Counter(one.verdict for one in judged)
    detail = {"rows": stored, "since": str(min(row.day for row in rows)), "until": str(max(row.day for row in rows))}
    audit.record(
        conn, actor=actor, action=f"spend.{'add' if source == 'manual' else 'import'}",
        subject=f"ad_account:{account.name}", workspace=account.workspace,
        detail={**detail, "verdicts": dict(verdicts)},
    )  # fmt: skip
    return stored


def _keep_names(conn: psycopg.Connection[Any], account_id: int, rows: Sequence[FileRow]) -> None:
    """Names by id, newest day last."""
    ordered = sorted(rows, key=lambda row: row.day)
    known = {
        row.object_id: Ad(account_id=account_id, ad_id=row.object_id, **_ad_fields(row))
        for row in ordered
        if row.level == "ad"
    }
    save_ads(conn, list(known.values()))
    names = []
    for row in ordered:
        if row.level in ("ad_set", "campaign") and (name := row.names.get(f"{row.level}_name")):
            names.append((account_id, row.level, row.object_id, name))
    save_names(conn, names)


def _ad_fields(row: FileRow) -> dict[str, Any]:
    wanted = ("ad_name", "ad_set_id", "ad_set_name", "campaign_id", "campaign_name")
    return {name: row.names[name].rpartition(":")[2] if name.endswith("_id") else row.names[name]
            for name in wanted if name in row.names}  # fmt: skip
