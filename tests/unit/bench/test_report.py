"""docs/performance.md says what was measured, and nothing else."""

from pathlib import Path

from tests.bench import scaling
from tests.bench.harness import Figure
from tests.bench.parts import PARTS
from tests.bench.report import PAGE, performance_page
from tests.bench.results import Found, Part, Sizes, Table, Target, as_json, from_json, load, save

_FOUND = Found(
    sizes="three rounds",
    tables=[Table(["process", "ms"], [["receiver", Figure(1.5, 1.0, 2.0, 3)], ["intake", "none"]])],
    targets=[
        Target("p99", "at most", 5, Figure(6.0, 6.0, 6.0, 1), "ms"),
        Target("rate", "at least", 2, Figure(3, 2, 4, 3)),
    ],
    units={"receiver ms": 1.5},
)
_KEPT = {
    "found": as_json(_FOUND),
    "machine": {"cores": "2"},
    "began": {"at": "2026-11-24T16:00:00+00:00", "load": 0.5},
    "ended": {"at": "2026-11-24T16:01:00+00:00", "load": 2.5},
    "seconds": 60,
}


def _part(name: str) -> Part:
    def run(_: Sizes) -> Found:
        return _FOUND

    return Part(name=name, title=name.capitalize(), method="How.", limits="Why.", run=run)


def test_results_survive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert load(path) == {"parts": {}}
    save({"parts": {"one": _KEPT}}, path)
    assert from_json(load(path)["parts"]["one"]["found"]) == _FOUND


def test_the_page_shows_every_number_with_its_spread_and_says_what_was_missed() -> None:
    page = performance_page({"one": _part("one"), "two": _part("two")}, {"parts": {"one": _KEPT}})
    assert "| One | p99 | at most 5.00 ms | 6.00 ms | missed |" in page
    assert "| One | rate | at least 2.00 | 3.00 (2.00–4.00) | ✓ |" in page
    assert "| receiver | 1.50 (1.00–2.00) |" in page
    assert "| One | 2026-11-24 16:00 | 0.5 | 2.5 | 60 s |" in page
    assert "Not measured yet: two." in page
    assert "## Two\n\nHow.\n\nNot measured yet." in page


def test_the_pages_in_the_repository_are_made_of_the_results_in_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == performance_page(PARTS, load()), "run: python -m tests.bench --render"
    page = scaling.PAGE.read_text(encoding="utf-8")
    assert page == scaling.with_table(page, load()), "run: python -m tests.bench --render"


def test_the_table_of_scaling_is_arithmetic_on_unit_costs() -> None:
    units = {f"{name} ms": 6.0 for name in ("receiver", "intake", "sending", "postgres", "valkey")} | {
        "wal bytes": 2**20
    }
    page = scaling.with_table(
        f"before\n{scaling.BEGIN}old\n{scaling.END}after\n", {"parts": {"end-to-end": {"found": {"units": units}}}}
    )
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page
    assert "| intake: 6.00 ms of CPU a webhook, cores | 0.463 | 46.3 |" in page
    assert "| in the busiest hour (× 4) | 46.3 | 4,630 |" in page
