import json
import re
from pathlib import Path

from sandbox.config import apply
from sandbox.faults import FAULTS
from sandbox.world import World

PAGE = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text()
KEPT = {"all": "yes", "none": "no", "all_but_last": "all but the last"}


def test_the_page_tells_of_every_fault_as_the_table_does() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (yes|no|all but the last) \|$", PAGE, re.MULTILINE)
    assert rows == [(kind, fault.means, KEPT[fault.keep]) for kind, fault in FAULTS.items()]


def test_the_configuration_of_the_page_is_valid() -> None:
    [example] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    world = apply(json.loads(example), World())
    assert len(world.datasets) == 3
    assert len(world.clicks.registered) == 1
