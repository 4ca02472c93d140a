"""Set-up: what ads cost by day, from a file that is looked at first, or typed in."""

import base64
import binascii
import zlib
from collections import Counter
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from console.errors import InvalidError
from console.spend.by_hand import add_by_hand
from console.spend.file import SpendFile, read_file
from console.spend.importing import CHANGED, NEW, Judged, judge_lines, refused_heading, refused_rows, store
from console.team.roles import Role
from console.team.words import N_
from console.web.access import least, person
from console.web.csv_download import csv_answer
from console.web.errors import back_to
from console.web.formats import money
from console.web.own import own_account
from console.web.runtime import database
from console.web.security import LARGEST_FILE, takes_file
from console.web.typed import typed_number

spend = Blueprint("spend", __name__, url_prefix="/w/<int:workspace_id>/accounts/<int:account_id>/spend")
_SHOWN = 200
#: A thread of the console works on one file meanwhile; the command takes any number.
_MOST_LINES = 50_000
_LEVELS = ("account", "campaign", "ad")


@spend.get("/")
@least(Role.OPERATOR)
def page(account_id: int) -> ResponseReturnValue:
    """The ways to bring spend in."""
    with database() as conn:
        return render_template("spend.html", account=own_account(conn, account_id), levels=_LEVELS)


@spend.post("/look")
@least(Role.OPERATOR)
@takes_file
@back_to("spend.page")
def look(account_id: int) -> ResponseReturnValue:
    """What each line of a file would do. Nothing is stored; the file goes along in the form."""
    file = request.files.get("file")
    content = file.read() if file else b""
    if not content:
        raise InvalidError(N_("Choose a file first."))
    if len(content) > LARGEST_FILE:
        raise InvalidError(N_("The file is larger than 5 MB. Split it by month, or use: ctwa spend import"))
    read = _read(content)
    with database() as conn:
        account = own_account(conn, account_id)
        judged = judge_lines(conn, account, read.lines)
    return render_template(
        "spend_preview.html",
        account=account,
        kept=base64.b64encode(zlib.compress(content, 9)).decode("ascii"),
        marks={name: request.form.get(name, "") for name in ("decimal", "dates")},
        verdicts=Counter(one.verdict for one in judged).most_common(),
        lines=sorted(judged, key=lambda one: not one.is_refused)[:_SHOWN],
        count=len(judged),
        would=sum(one.verdict in (NEW, CHANGED) for one in judged),
        refused=sum(one.is_refused for one in judged),
    )


@spend.post("/store")
@least(Role.OPERATOR)
@takes_file
@back_to("spend.page")
def keep(account_id: int) -> ResponseReturnValue:
    """Stores what a file that was looked at has, judged anew."""
    read = _read(_kept())
    with database() as conn:
        account = own_account(conn, account_id)
        stored = store(conn, account, judge_lines(conn, account, read.lines), actor=person().actor)
    flash(ngettext("%(num)s day of spend is kept.", "%(num)s days of spend are kept.", stored), "ok")
    return redirect(url_for("accounts.page"), 303)


@spend.post("/refused")
@least(Role.OPERATOR)
@takes_file
@back_to("spend.page")
def refused(account_id: int) -> ResponseReturnValue:
    """The lines that can't be used, with the reason of each, as a file."""
    read = _read(_kept())
    with database() as conn:
        judged: list[Judged] = judge_lines(conn, own_account(conn, account_id), read.lines)
    return csv_answer("refused.csv", refused_heading(read), refused_rows(judged))


@spend.post("/day")
@least(Role.OPERATOR)
@back_to("spend.page")
def add_day(account_id: int) -> ResponseReturnValue:
    """Keeps what somebody typed of one day."""
    form = request.form
    try:
        day = date.fromisoformat(form.get("day", ""))
    except ValueError:
        raise InvalidError(N_("The day must be like 2026-11-20.")) from None
    amount = typed_number(form.get("amount", ""))
    with database() as conn:
        account = own_account(conn, account_id)
        verdict = add_by_hand(
            conn, account, day=day, level=form.get("level", "account") if form.get("level") in _LEVELS else "account",
            which=form.get("which", ""), amount=str(amount),
            currency=form.get("currency", "") or account.currency or "", actor=person().actor,
        )  # fmt: skip
    said = money(amount, (form.get("currency") or account.currency or "").strip().upper())
    words = {
        NEW: gettext("The day is kept: %(amount)s.", amount=said),
        CHANGED: gettext("The day is replaced: %(amount)s.", amount=said),
    }
    flash(words.get(verdict, gettext("It was there already.")), "ok")
    return redirect(url_for("spend.page", account_id=account_id), 303)


def _read(content: bytes) -> SpendFile:
    marks = {
        "decimal": request.form.get("decimal") if request.form.get("decimal") in (".", ",") else None,
        "dates": request.form.get("dates") if request.form.get("dates") in ("dmy", "mdy") else None,
    }
    if max(content.count(end) for end in (b"\n", b"\r")) > _MOST_LINES:
        raise InvalidError(N_("The file has more than 50,000 lines. Split it by month, or use: ctwa spend import"))
    return read_file(content, **marks)


def _kept() -> bytes:
    """The file that the form of the look brought back, unpacked no further than a file may be large."""
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(base64.b64decode(request.form.get("kept", ""), validate=True), LARGEST_FILE)
    except (binascii.Error, ValueError, zlib.error):
        content = b""
    if not content or not unpacker.eof:
        raise InvalidError(N_("The file got lost on the way. Choose it again."))
    return content
