import pytest

from shared.domain.regions import RESTRICTED, country_of, region_allowed


@pytest.mark.parametrize(
    ("phone", "country"),
    [
        ("5531998877665", "BR"),
        ("553198877665", "BR"),
        ("442079460123", "GB"),
        ("4915112345678", "DE"),
        ("819012345678", "JP"),
        ("16505551212", "US"),
        # Invented numbers have a country, too.
        ("15550100123", "US"),
        ("14165550123", "CA"),
        ("35799123456", "CY"),
        ("262692123456", "RE"),
        # Satellite and toll-free codes belong to no country.
        ("881612345678", None),
        ("999", None),
        ("not a number", None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_tells_the_country(phone: str | None, country: str | None) -> None:
    assert country_of(phone) == country


def test_the_usual_list_is_the_eu_the_eea_the_united_kingdom_and_japan() -> None:
    assert {"DE", "FR", "IE", "NO", "IS", "LI", "GB", "JP"} <= RESTRICTED
    assert not {"CH", "BR", "US", "IN", "MX", "TR", "UA"} & RESTRICTED
    assert len(RESTRICTED) == 27 + 8 + 3 + 4 + 1


def test_only_a_policy_that_says_so_holds_somebody_back() -> None:
    assert region_allowed("DE", policy="send", restricted=None)
    assert not region_allowed("DE", policy="skip", restricted=None)
    assert region_allowed("BR", policy="skip", restricted=None)
    assert not region_allowed("BR", policy="skip", restricted=["BR"])
    assert region_allowed("DE", policy="skip", restricted=["BR"])
    # Nothing is known against somebody without a number.
    assert region_allowed(None, policy="skip", restricted=None)
