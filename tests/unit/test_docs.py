"""The docs say what is: links lead somewhere, commands exist, settings, metrics and numbers are those of the code."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from prometheus_client import REGISTRY

import receiver.metrics
import workers.metrics
from console.cli.main import ctwa
from shared.capi.payload import DatasetProfile, OutgoingEvent, build_event
from shared.providers import PROVIDERS
from shared.settings import _SettingsSchema
from workers import upkeep

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(
    r"(?<![\w./<>-])((?:receiver|workers|shared|console|sandbox|tests|docs|requirements)/[\w/-]+\.[a-z]+)\b"
)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
#: Package registries and mirrors: a machine's own configuration says where packages come from.
_REGISTRIES = ("pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js", "crates" + ".io", "ghcr" + ".io")


def slug(heading: str) -> str:
    """The anchor that forges make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def commands(text: str) -> Iterator[list[str]]:
    """Every `ctwa …` in a page: lines of code blocks, and code within sentences."""
    blocks = "\n".join(_FENCE.findall(text)).replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ") for line in blocks.splitlines()]
    for line in [*lines, *_CODE.findall(_FENCE.sub("", text))]:
        called = re.sub(r"^(docker compose run --rm |docker run --rm \S+ |\.venv/bin/)", "", line)
        if called.startswith("ctwa "):
            yield shlex.split(called.replace("'", "").partition(" #")[0].partition(" >")[0])[1:]


def problem(words: list[str]) -> str | None:
    """Why these words are no command of ctwa's, or None."""
    command: click.Command = ctwa
    context = click.Context(ctwa)
    for word in words:
        if word.startswith("-"):
            known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            if word.partition("=")[0] not in {*known, "--help", "-h"}:
                return f"{command.name} has no option {word}"
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            if found is None and not command.invoke_without_command:
                return f"{command.name} has no command {word}"
            command = found or command
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for match in _LINK.finditer(_FENCE.sub("", text)):
        target, _, anchor = (match[1] or match[2]).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in [slug(heading) for heading in _HEADING.findall(there.read_text(encoding="utf-8"))], anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = set(_FILE.findall(page.read_text(encoding="utf-8")))
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    problems = [(words, why) for words in commands(text) if (why := problem([w for w in words if w not in "…|"]))]
    assert problems == []


def test_a_command_that_does_not_exist_is_found() -> None:
    assert problem(["conquer"]) == "ctwa has no command conquer"
    assert problem(["channels", "add", "x", "--colour", "red"]) == "add has no option --colour"
    assert problem(["channels", "add", "x", "--dataset", "shop"]) is None
    assert list(commands("Try `ctwa frobnicate now`.\n```\n$ ctwa up --detach  # starts\n```\n")) == [
        ["up", "--detach"],
        ["frobnicate", "now"],
    ]


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        code = [*_CODE.findall(_FENCE.sub("", text)), *"\n".join(_FENCE.findall(text)).splitlines()]
        named = {match[1] for line in code if (match := re.match(r"\s*make ([a-z-]+)", line))}
        assert named <= targets, f"{page.name}: {named - targets}"


def test_every_setting_stands_in_operations_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*)\|", OPERATIONS, re.MULTILINE))
    fields = {str(field.data_key): field.load_default for field in _SettingsSchema().fields.values()}
    assert list(rows) == list(fields)
    for name, default in fields.items():
        shown = rows[name].strip().strip("`").replace(",", "")
        if default in ("", None, ()):
            assert shown == "", name
        elif isinstance(default, bool):
            assert shown == str(default).lower(), name
        elif isinstance(default, int | float):
            assert float(shown) == default, name
        else:
            assert shown == default, name


def test_every_metric_stands_in_operations() -> None:
    assert receiver.metrics
    assert workers.metrics
    collectors = {metric.name: metric.type for metric in REGISTRY.collect() if metric.name.startswith("ctwa_")}
    names = {f"{name}_total" if kind == "counter" else name for name, kind in collectors.items()}
    named = set(re.findall(r"`(ctwa_[a-z_]+)`", OPERATIONS)) - {"ctwa_receiver", "ctwa_worker", "ctwa_console"}
    assert named == names


def test_what_is_kept_how_long_is_what_upkeep_keeps() -> None:
    assert "raw bodies | `KEEP_WEBHOOK_DAYS`, dropped by whole days" in OPERATIONS
    assert f"| {upkeep.KEEP_EMPTY_HOURS} hours after they were read |" in OPERATIONS


def test_the_two_bodies_of_the_set_up_page_are_what_is_sent() -> None:
    page = (ROOT / "docs/meta-set-up.md").read_text(encoding="utf-8")
    shown = [json.loads(block)["data"][0] for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    lead = OutgoingEvent(
        event_name="Lead",
        event_id=shown[0]["event_id"],
        event_time=datetime.fromtimestamp(shown[0]["event_time"], UTC),
        click_id=shown[0]["user_data"]["ctwa_clid"],
        value=None,
        currency=None,
        order_id=None,
    )
    waba_id = shown[0]["user_data"]["whatsapp_business_account_id"]
    assert shown == [
        build_event(lead, DatasetProfile(profile="whatsapp", waba_id=waba_id, page_id=None)),
        build_event(lead, DatasetProfile(profile="guide", waba_id=None, page_id=None)),
    ]


def test_the_readme_lists_only_providers_there_are_under_their_names() -> None:
    listed = re.findall(r"^\| \[[^\]]+\]\(docs/providers/([\w-]+)\.md\) \| `([\w-]+)` \|", README, re.MULTILINE)
    assert {"whapi", "meta_cloud"} <= {name for _, name in listed} <= set(PROVIDERS)
    assert all(page == name for page, name in listed)


def test_the_changelog_has_room_for_what_comes() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert sections[0] == "Unreleased"
    kinds = set(re.findall(r"^### (\w+)$", changelog, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_every_decision_is_listed_under_its_title() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs/decisions").glob("[0-9]*.md")):
        assert f"[{page.name[:4]}]({page.name})" in index, page.name
        text = page.read_text(encoding="utf-8")
        for part in ("Context", "Decision", "Consequences", "Rejected"):
            assert part.lower() in text.lower(), f"{page.name} lacks {part}"


def test_no_file_names_a_package_registry() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if name and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not [host for host in _REGISTRIES if host in text], name
