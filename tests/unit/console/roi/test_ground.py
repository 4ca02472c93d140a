"""Into which segments a question falls: every ad in one of them, and what belongs to none in the first."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from console.roi.ground import segments
from console.roi.question import Asked
from shared.db.ad_accounts import AdAccount
from shared.db.ads import Ad
from shared.db.rollups import Span

DAY = Span(first=date(2026, 11, 1), last=date(2026, 11, 1))
ACCOUNTS = st.lists(
    st.tuples(st.sampled_from(["UTC", "Asia/Tokyo"]), st.sampled_from(["BRL", "JPY", None])), max_size=5
)


def account(number, zone="UTC", currency="BRL"):
    return AdAccount(
        id=number, workspace="default", meta_id=None, name=str(number), currency=currency, zone=zone,
        credential_id=None, enabled=True, is_test=False, synced_until=None, last_synced_at=None, last_error=None,
        last_error_at=None, next_sync_at=datetime.now(UTC), wanted_since=None, sync_since=None, sync_until=None,
        sync_started_at=None, sync_cursor=None, sync_rows=0, report_run_id=None, report_percent=None,
        lease_token=None,
    )  # fmt: skip


def asked(**changes):
    return Asked(workspace="default", span=DAY, **changes)


@given(ACCOUNTS, st.lists(st.integers(0, 4), max_size=8))
def test_every_ad_counts_in_one_segment_of_its_accounts_zone_and_currency(kinds, owners):
    accounts = [account(number, zone, currency) for number, (zone, currency) in enumerate(kinds)]
    ads = [Ad(account_id=owner, ad_id=str(n)) for n, owner in enumerate(owners) if owner < len(accounts)]
    made = segments(asked(), accounts, ads, "UTC")
    assert sorted(one for part in made for one in part.account_ids) == [one.id for one in accounts]
    assert made[0].only_ads is None
    for ad in ads:
        (home,) = [part for part in made if ad.account_id in part.account_ids]
        counted = [
            part
            for part in made
            if ad.ad_id not in part.without_ads and (part.only_ads is None or ad.ad_id in part.only_ads)
        ]
        assert counted == [home]
        owner = accounts[ad.account_id]
        assert (home.zone, home.currency) == (owner.zone, owner.currency or "")


def test_asking_for_an_account_or_a_currency_leaves_out_what_belongs_to_no_ad():
    accounts = [account(1), account(2, "Asia/Tokyo", "JPY")]
    ads = [Ad(account_id=1, ad_id="a"), Ad(account_id=2, ad_id="b")]
    (one,) = segments(asked(account_ids=[2]), accounts, ads, "UTC")
    assert (one.zone, one.currency, one.only_ads) == ("Asia/Tokyo", "JPY", ["b"])
    (one,) = segments(asked(currency="BRL"), accounts, ads, "UTC")
    assert (one.zone, one.currency, one.only_ads) == ("UTC", "BRL", ["a"])
    (one,) = segments(asked(currency="EUR"), accounts, ads, "UTC")
    assert one.only_ads == []


def test_without_accounts_everything_counts_in_the_zone_of_the_channels():
    (one,) = segments(asked(), [], [], "America/Bogota")
    assert (one.zone, one.currency, one.only_ads) == ("America/Bogota", "", None)
