from pathlib import Path

import pytest

from console.cli.secrets import read_fields, read_secret
from console.errors import InvalidError


def test_a_secret_is_read_from_a_file_or_a_variable_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("canary\n")
    assert read_fields([f"a={tmp_path / 's'}"], ["b=VARIABLE"], {"VARIABLE": " other "}) == {
        "a": "canary",
        "b": "other",
    }


@pytest.mark.parametrize("pair", ["canary", "=canary", "canary="])
def test_a_value_given_where_a_source_belongs_is_refused_without_repeating_it(pair: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read_fields([pair], [], {})
    assert "canary" not in str(caught.value)


def test_a_source_that_holds_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    with pytest.raises(InvalidError, match="is empty"):
        read_secret("The token", str(tmp_path / "empty"))
    with pytest.raises(InvalidError, match="can't be read"):
        read_secret("The token", str(tmp_path / "nope"))
    with pytest.raises(InvalidError, match="NOT_SET"):
        read_fields([], ["a=NOT_SET"], {})
