"""Spend of one day that somebody types in."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg

from console.errors import InvalidError
from console.spend.file import FileRow, Line
from console.spend.importing import judge_lines, store
from shared.db.ad_accounts import AdAccount
from shared.domain.reasons import explain
from shared.domain.sentences import sentence, together


def add_by_hand(
    conn: psycopg.Connection[Any],
    account: AdAccount,
    *,
    day: date,
    level: str,
    which: str,
    amount: str,
    currency: str,
    actor: str,
) -> str:
    """Keeps that `amount` was spent on a day; the verdict: new, changed or same.

    `level` is ad (by its id), campaign (by id or name) or account. Raises InvalidError.
    """
    row = _row(day, level, which.strip(), amount.strip(), currency.strip())
    (judged,) = judge_lines(conn, account, [Line(number=1, cells=(), row=row)], source="manual")
    if judged.is_refused:
        reason = explain(judged.verdict)
        raise InvalidError(together(reason.words, reason.next_step))
    store(conn, account, [judged], actor=actor, source="manual")
    return judged.verdict


def _row(day: date, level: str, which: str, amount: str, currency: str) -> FileRow:
    try:
        money = Decimal(amount)
    except InvalidOperation:
        raise InvalidError(sentence("The amount must be a number such as 12.50.")) from None
    if not money.is_finite() or not 0 <= money < 10**12:
        raise InvalidError(sentence("The amount must be a number that isn't negative."))
    if not (len(currency) == 3 and currency.isalpha() and currency.isascii()):
        raise InvalidError(sentence("The currency must be three letters, such as BRL."))
    is_id = which.isascii() and which.isdigit()
    if level == "ad" and not is_id:
        raise InvalidError(sentence("The ad must be given by its id, which is digits."))
    if level == "campaign" and not which:
        raise InvalidError(sentence("Which campaign? Give its id or name."))
    object_id = "account" if level == "account" else which if is_id else f"name:{which[:500]}"
    names = {"campaign_name": which[:500]} if level == "campaign" and not is_id else {}
    return FileRow(
        day=day, level=level, object_id=object_id, currency=currency.upper(), spend=money, names=names, counts={}
    )
