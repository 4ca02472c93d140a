from datetime import date

import pytest

from sandbox.versions import ENDS, serve

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize("version", ["v21.0", "v22.0", "v25.0", "v26.0"])
def test_a_living_version_serves_itself(version: str) -> None:
    served = serve(version, TODAY)
    assert served is not None
    assert (served.version, served.warning) == (version, None)


@pytest.mark.parametrize("version", ["v20.0", "v19.0", "v18.0", "v12.0", "v3.3", "v2.12"])
def test_an_expired_version_is_served_by_the_oldest_living_one_with_a_warning(version: str) -> None:
    served = serve(version, TODAY)
    assert served is not None
    assert served.version == "v21.0"
    assert served.warning == f"The call has been auto-upgraded to v21.0 as {version} has been deprecated."


@pytest.mark.parametrize("version", ["v99.0", "v27.0", "v25.1", "v25", "latest", ""])
def test_a_version_that_never_existed_is_served_by_none(version: str) -> None:
    assert serve(version, TODAY) is None


def test_a_version_lives_through_its_last_day() -> None:
    end = ENDS["v21.0"]
    assert end is not None
    on_the_day = serve("v21.0", end)
    a_day_later = serve("v21.0", date.fromordinal(end.toordinal() + 1))
    assert on_the_day is not None
    assert on_the_day.version == "v21.0"
    assert a_day_later is not None
    assert a_day_later.version == "v22.0"
