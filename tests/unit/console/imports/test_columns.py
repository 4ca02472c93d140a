"""Columns by the names that shops and CRMs give them, and what cells mean."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from console.errors import InvalidError
from console.imports.columns import FIELDS, PERSON, Reading, Rows, columns_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def item(cells, *, headings=("phone", "time", "value"), kind="conversions", **reading):
    return Rows(kind, columns_of(kind, headings), Reading(**reading)).item(list(cells), now=NOW)


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_no_heading_means_two_fields(kind):
    said = [name for fields in (PERSON, FIELDS[kind]) for names in fields.values() for name in names]
    assert len(said) == len(set(said))


def test_headings_are_known_in_any_case_and_with_any_marks():
    assert columns_of("conversions", ["E-Mail", "ORDER_DATE", "x", "Order No."]) == {
        "contact.email": 0, "occurred_at": 1, "order_id": 3,
    }  # fmt: skip
    with pytest.raises(InvalidError, match="Two columns mean phone"):
        columns_of("conversions", ["phone", "Mobile", "time"])


@pytest.mark.parametrize(
    ("written", "reading", "moment"),
    [
        ("2026-11-20T08:00:00+01:00", {}, "2026-11-20T08:00:00+01:00"),
        ("2026-11-20 08:00", {"zone": ZoneInfo("America/Sao_Paulo")}, "2026-11-20T08:00:00-03:00"),
        ("2026-11-20", {}, "2026-11-20T23:59:59+00:00"),
        ("2026-11-24", {}, "2026-11-24T12:00:00+00:00"),
        ("20/11/2026 08:00", {"time_format": "%d/%m/%Y %H:%M"}, "2026-11-20T08:00:00+00:00"),
        ("20.11.2026", {"time_format": "%d.%m.%Y"}, "2026-11-20T23:59:59+00:00"),
        ("1763625600", {}, "2025-11-20T08:00:00+00:00"),
    ],
)
def test_a_time_has_a_zone_and_a_date_is_the_end_of_its_day(written, reading, moment):
    assert item(["1", written, "1"], **reading)["occurred_at"] == moment


@pytest.mark.parametrize(
    ("written", "comma", "value"),
    [
        ("12.50", False, "12.50"),
        ("1,234.50", False, "1234.50"),
        ("1 234.50", False, "1234.50"),
        ("1.234,50", True, "1234.50"),
        ("12,5", True, "12.5"),
        ("1.234.567", True, "1234567"),
        ("12", True, "12"),
    ],
)
def test_an_amount_is_read_as_it_is_written_there(written, comma, value):
    assert item(["1", "2026-11-20", written], decimal_comma=comma)["value"] == value


@pytest.mark.parametrize("written", ["1,234", "12,5"])
def test_a_comma_that_may_mean_two_things_is_refused(written):
    with pytest.raises(ValueError, match="--decimal-comma"):
        item(["1", "2026-11-20", written])


def test_a_purchase_without_an_id_is_known_by_what_its_row_says():
    headings = ("phone", "time", "value")
    rows = Rows("conversions", columns_of("conversions", headings), Reading())
    again = Rows("conversions", columns_of("conversions", headings), Reading())
    cells = [["1", "2026-11-20", "5"], ["1", "2026-11-20", "5"], ["1", "2026-11-20", "6"]]
    keys = [rows.item(row, now=NOW)["idempotency_key"] for row in cells]
    assert len(set(keys)) == 3
    assert [again.item(row, now=NOW)["idempotency_key"] for row in cells] == keys


def test_only_what_needs_a_key_gets_one():
    headings = ("phone", "time", "event", "order")
    assert "idempotency_key" not in item(["1", "2026-11-20", "QualifiedLead", ""], headings=headings)
    assert "idempotency_key" not in item(["1", "2026-11-20", "Purchase", "A1"], headings=headings)


def test_every_heading_stands_in_the_docs():
    page = (Path(__file__).parents[4] / "docs" / "conversions.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| ([a-z_]+) \| ([^|;]+)", page, re.MULTILINE))
    known = {"contact_id" if name == "id" else name: names for name, names in PERSON.items()}
    for kind in FIELDS.values():
        known |= kind
    assert {name: [one.strip() for one in rows[name].split(",")] for name in known} == {
        name: list(names) for name, names in known.items()
    }
