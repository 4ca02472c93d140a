"""How figures, money and times look, by the page's language; times name their zone."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent, parse_pattern
from flask import Flask
from flask_babel import get_locale

from console.web.language import zone

#: What stands for a figure that there is none of.
NOTHING = "–"


def install(app: Flask) -> None:
    """Filters for templates, under these names."""
    app.jinja_env.filters.update(
        number=number, percent=percent, money=money, moment=moment, day=day, ago=ago, zone_offset=zone_offset
    )


def number(value: Decimal | float | None, digits: int = 0) -> str:
    """12,345 or 12.345, with at most so many decimals."""
    return NOTHING if value is None else format_decimal(_rounded(value, digits), locale=_locale())


def percent(value: Decimal | float | None, digits: int = 1) -> str:
    """A share of 1 as 12.3%."""
    if value is None:
        return NOTHING
    pattern = _pattern(f"#,##0.{'#' * digits}%") if _locale().language == "en" else None
    return format_percent(_rounded(value, digits + 2), pattern, locale=_locale(), decimal_quantization=False)


def money(value: Decimal | None, currency: str | None, *, whole: bool = False, bare: bool = False) -> str:
    """An amount as the language writes it, with its currency; `whole` without decimals, `bare` without the currency."""
    if value is None or currency is None:
        return NOTHING
    if bare:
        pattern = _pattern("#,##0" if whole else "#,##0.00")
        return format_currency(value, currency, pattern, locale=_locale(), currency_digits=not whole)
    if not whole:
        return format_currency(value, currency, locale=_locale())
    pattern = _pattern(_locale().currency_formats["standard"].pattern.replace(".00", ""))
    return format_currency(value, currency, pattern, locale=_locale(), currency_digits=False)


def moment(value: datetime | None) -> str:
    """A time to the minute, in the person's zone, which is named: 24 Nov 2026, 14:05 UTC+1."""
    if value is None:
        return NOTHING
    local = value.astimezone(zone())
    return f"{format_datetime(local, 'd MMM y, HH:mm', locale=_locale())} {zone_offset(local)}"


def day(value: date | None) -> str:
    """A day: 24 Nov 2026."""
    return NOTHING if value is None else format_date(value, "d MMM y", locale=_locale())


def ago(value: datetime | None) -> str:
    """How long ago, in the largest fitting unit: 3 hours ago."""
    if value is None:
        return NOTHING
    return format_timedelta(value - datetime.now(UTC), add_direction=True, locale=_locale())


def zone_offset(value: datetime) -> str:
    """UTC, UTC+1 or UTC-3:30."""
    offset = value.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}{f':{rest:02d}' if rest else ''}"


#: Reading a pattern takes as long as writing a figure by it, and a page has a thousand.
_pattern = cache(parse_pattern)


def _rounded(value: Decimal | float, digits: int) -> Decimal:
    return round(Decimal(str(value)), digits)


def _locale() -> Locale:
    return get_locale() or Locale("en")
