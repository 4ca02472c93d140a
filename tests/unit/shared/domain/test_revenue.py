"""Gross and net of a conversion after what was learnt of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.revenue import Change, revenue

START = datetime(2026, 11, 22, tzinfo=UTC)


def change(kind, value=None, *, hour=0, currency="EUR"):
    return Change(
        kind=kind,
        value=None if value is None else Decimal(value),
        currency=currency if value is not None else None,
        occurred_at=START + timedelta(hours=hour),
    )


@pytest.mark.parametrize(
    ("value", "changes", "gross", "net"),
    [
        ("100", [], "100", "100"),
        ("100", [change("refund", "30"), change("refund", "20")], "100", "50"),
        ("100", [change("refund", "130")], "100", "0"),
        ("100", [change("cancellation")], "100", "0"),
        ("100", [change("refund")], "100", "0"),
        ("100", [change("cancellation", "40")], "100", "60"),
        ("100", [change("amendment", "80", hour=2), change("amendment", "90", hour=1)], "80", "80"),
        ("100", [change("refund", "30", currency="USD"), change("amendment", "5", currency="USD")], "100", "100"),
        ("100", [change("attribution")], "100", "100"),
        (None, [change("value", "70"), change("refund", "20", hour=1)], "70", "50"),
    ],
)
def test_what_remains_after_changes(value, changes, gross, net):
    first = None if value is None else Decimal(value)
    found = revenue(first, "EUR" if value else None, changes)
    assert found is not None
    assert (found.gross, found.net, found.currency) == (Decimal(gross), Decimal(net), "EUR")


def test_nothing_is_known_before_a_value_is():
    assert revenue(None, None, [change("cancellation")]) is None


@given(
    st.lists(st.builds(change, st.sampled_from(["refund", "cancellation", "amendment"]), st.integers(0, 500).map(str)))
)
def test_net_is_never_negative_nor_more_than_gross(changes):
    found = revenue(Decimal(100), "EUR", changes)
    assert found is not None
    assert 0 <= found.net <= found.gross
