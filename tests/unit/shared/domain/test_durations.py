import pytest

from shared.domain.durations import rough


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 d"), (9e6, "104 d")],
)
def test_a_duration_is_said_in_its_largest_fitting_unit(seconds: float, text: str) -> None:
    assert rough(seconds) == text
