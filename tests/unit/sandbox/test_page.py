import pytest

from sandbox.page import shortened


@pytest.mark.parametrize(
    ("click_id", "shown"),
    [("ARAkSyntheticClickId_0001", "ARAkSy…"), ("short", "…"), ("", "none"), (None, "none"), (7, "none")],
)
def test_a_click_id_is_never_shown_whole(click_id: object, shown: str) -> None:
    assert shortened(click_id) == shown
