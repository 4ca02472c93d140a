"""Importing less, and at once."""

import gc
import sys

import pytest

from shared.imports import import_uncollected, import_without

_ASKS = """
import gc
try:
    import ctwa_left_out as found
except ImportError:
    found = None
collecting = gc.isenabled()
"""


def test_a_module_is_imported_uncollected_and_without_what_is_hidden_and_both_end_there(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("one", "two"):
        (tmp_path / f"ctwa_{name}.py").write_text(_ASKS)
        monkeypatch.delitem(sys.modules, f"ctwa_{name}", raising=False)
    (tmp_path / "ctwa_left_out.py").touch()
    (tmp_path / "ctwa_broken.py").write_text("raise LookupError")
    assert import_without("ctwa_left_out", "ctwa_one").found is None
    two = import_uncollected("ctwa_two")
    assert two.found is not None
    assert not two.collecting
    with pytest.raises(LookupError):
        import_uncollected("ctwa_broken")
    gc.unfreeze()
    assert gc.isenabled()
