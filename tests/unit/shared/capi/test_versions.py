from datetime import UTC, date, datetime, timedelta

import pytest

from shared.capi.versions import CURRENT_VERSION, ENDS, VersionState, check_version

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("v26.0", VersionState.OK),
        ("v25.0", VersionState.OK),
        ("v22.0", VersionState.OK),
        ("v21.0", VersionState.WARN),
        ("v20.0", VersionState.EXPIRED),
        ("v18.0", VersionState.EXPIRED),
        ("v3.2", VersionState.EXPIRED),
        ("v27.0", VersionState.WARN),
        ("26.0", VersionState.MALFORMED),
        ("v26", VersionState.MALFORMED),
        ("v26.0\n", VersionState.MALFORMED),
        ("v26.0/../me", VersionState.MALFORMED),
        ("", VersionState.MALFORMED),
    ],
)
def test_a_version_is_judged_by_the_calendar(text: str, state: VersionState) -> None:
    check = check_version(text, TODAY)
    assert check.state is state
    assert check.text.endswith(".")


def test_the_warning_starts_90_days_before_the_end_and_the_end_is_not_supported() -> None:
    for version, end in ENDS.items():
        if end is not None:
            assert check_version(version, end - timedelta(days=91)).state is VersionState.OK
            assert check_version(version, end - timedelta(days=90)).state is VersionState.WARN
            assert check_version(version, end - timedelta(days=1)).state is VersionState.WARN
            assert check_version(version, end).state is VersionState.EXPIRED


def test_the_version_we_set_up_by_default_has_90_days_left() -> None:
    assert check_version(CURRENT_VERSION, datetime.now(UTC).date()).state is VersionState.OK
