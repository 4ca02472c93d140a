"""`ctwa demo`, as `make demo` runs it."""

import json

import pytest

from shared.providers import PROVIDERS
from shared.providers.samples import list_samples
from tests.e2e.local_stack import ctwa

pytestmark = pytest.mark.timeout(300)


def test_the_demo_brings_every_case_of_every_provider_to_its_end_and_leaves_nothing(tmp_path):
    done = ctwa("demo", "--json", "--state-dir", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["ok"], report["problems"], report["logs"]) == (True, [], None)
    rows = {(row["provider"], row["dataset"], row["case"]): row for row in report["cases"]}
    assert {provider for provider, _, _ in rows} == set(PROVIDERS)
    assert rows["whapi", "demo-guide", "ad"]["events"] == 1
    cases = {(provider, case): row for (provider, dataset, case), row in rows.items() if dataset != "demo-guide"}
    for provider in PROVIDERS:
        samples = list_samples(provider)
        best = next(name for name in ("ad", "ad_without_click_id", "organic") if name in samples).replace("_", " ")
        assert cases[provider, "organic"]["state"] is None
        assert cases[provider, "junk"]["taken_for"] == "unparsable"
        assert cases[provider, f"the same {best}, 10 times at once"]["answers"] == [200] * 10
        assert cases[provider, f"{best}, forged"]["answers"] == [401]
        if "ad" in samples:
            assert (cases[provider, "ad"]["events"], cases[provider, "ad"]["state"]) == (1, "accepted")
        if "ad_without_click_id" in samples:
            assert cases[provider, "ad without click id"]["state"] == "skipped"
    assert not (tmp_path / "demo").exists()


def test_the_demo_does_not_remove_a_folder_that_is_not_a_stacks(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    done = ctwa("demo", "--state-dir", str(tmp_path))
    assert done.returncode == 1
    assert "not a local stack" in done.stderr
    assert (tmp_path / "holiday.jpg").exists()
