"""Figures, money and times in each language, with their zone."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from console.web import formats

MOMENT = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)


@pytest.fixture
def on_a_page(monkeypatch):
    """Sets the language and the zone of the page."""

    def open_page(locale: str = "en", zone: str = "UTC") -> None:
        monkeypatch.setattr(formats, "get_locale", lambda: Locale.parse(locale))
        monkeypatch.setattr(formats, "zone", lambda: ZoneInfo(zone))

    return open_page


@pytest.mark.parametrize(
    ("locale", "number", "percent", "money"),
    [
        ("en", "12,345.68", "12.3%", "R$1,234.50"),
        ("pt_BR", "12.345,68", "12,3%", "R$\xa01.234,50"),
        ("es", "12.345,68", "12,3\xa0%", "1.234,50\xa0BRL"),
    ],
)
def test_figures_follow_the_language(on_a_page, locale, number, percent, money):
    on_a_page(locale)
    assert formats.number(Decimal("12345.678"), 2) == number
    assert formats.percent(Decimal("0.1234")) == percent
    assert formats.money(Decimal("1234.5"), "BRL") == money


def test_money_has_the_digits_of_its_currency(on_a_page):
    on_a_page()
    assert formats.money(Decimal(1234), "JPY") == "¥1,234"
    assert formats.money(Decimal("1.5"), "KWD") == "KWD1.500"


@pytest.mark.parametrize(
    ("locale", "zone", "shown"),
    [
        ("en", "UTC", "5 Jan 2026, 23:30 UTC"),
        ("es", "Europe/Madrid", "6 ene 2026, 00:30 UTC+1"),
        ("pt_BR", "America/Sao_Paulo", "5 jan. 2026, 20:30 UTC-3"),
        ("en", "Asia/Kolkata", "6 Jan 2026, 05:00 UTC+5:30"),
    ],
)
def test_a_time_is_told_in_the_zone_of_the_person_and_names_it(on_a_page, locale, zone, shown):
    on_a_page(locale, zone)
    assert formats.moment(MOMENT) == shown


def test_what_is_not_there_is_a_dash(on_a_page):
    on_a_page()
    nothing = [formats.number(None), formats.percent(None), formats.money(None, "EUR"), formats.money(Decimal(1), None)]
    nothing += [formats.moment(None), formats.day(None), formats.ago(None)]
    assert set(nothing) == {formats.NOTHING}
    assert formats.day(date(2026, 11, 24)) == "24 Nov 2026"
