"""`ctwa demo`, as `make demo` runs it."""

import json

import pytest

from shared.providers import PROVIDERS
from tests.e2e.local_stack import ctwa

pytestmark = pytest.mark.timeout(180)


def test_the_demo_brings_every_case_of_every_provider_to_its_end_and_leaves_nothing(tmp_path):
    done = ctwa("demo", "--json", "--state-dir", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["ok"], report["problems"], report["logs"]) == (True, [], None)
    cases = {(row["provider"], row["case"]): row for row in report["cases"] if row["dataset"] != "demo-guide"}
    for provider in PROVIDERS:
        assert cases[provider, "ad"]["events"] == 1
        assert cases[provider, "the same ad, 10 times at once"]["answers"] == [200] * 10
        assert cases[provider, "organic"]["state"] is None
        assert cases[provider, "ad without click id"]["state"] == "skipped"
        assert cases[provider, "ad, forged"]["answers"] == [401]
        assert cases[provider, "junk"]["taken_for"] == "unparsable"
        assert cases[provider, "statuses"]["answers"] == [200]
    assert not (tmp_path / "demo").exists()


def test_the_demo_does_not_remove_a_folder_that_is_not_a_stacks(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    done = ctwa("demo", "--state-dir", str(tmp_path))
    assert done.returncode == 1
    assert "not a local stack" in done.stderr
    assert (tmp_path / "holiday.jpg").exists()
