"""Looking at pages with Debian's Chromium: screenshots at three widths, and what axe-core finds."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

WIDTHS = {360: 740, 768: 1024, 1440: 900}
#: Ignored by git; kept as an artefact of the run.
SCREENSHOTS = Path(__file__).parents[3] / ".artefacts" / "screenshots"
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def chromium_program() -> str | None:
    """Where Chromium is on this machine; CHROMIUM names another."""
    return os.environ.get("CHROMIUM") or next((path for name in _PROGRAMS if (path := shutil.which(name))), None)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Chromium, or the test is skipped with what to do."""
    program = chromium_program()
    if program is None:
        pytest.skip("no Chromium here: pages are not looked at (apt-get install chromium, or set CHROMIUM)")
    with sync_playwright() as playwright:
        # As root there is no sandbox for it; it opens only pages of ours.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=[*arguments, "--disable-dev-shm-usage"])
        yield browser
        browser.close()


class Watched:
    """A page, and everything it complained about."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("requestfailed", lambda request: self._note("error", f"{request.url} failed"))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def open(self, path: str) -> None:
        """Opens a page and waits for all of it."""
        self.page.goto(self.url + path, wait_until="networkidle")

    def look(self, name: str) -> list[str]:
        """Screenshots at three widths, and in the dark; what is wrong: violations, complaints, a page too wide."""
        wrong: list[str] = []
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        # In the dark only the colours differ.
        for colours, widths, rules in (("light", WIDTHS, _RULES), ("dark", {1440: 900}, ["color-contrast"])):
            self.page.emulate_media(color_scheme=colours, reduced_motion="reduce")
            for width, height in widths.items():
                self.page.set_viewport_size({"width": width, "height": height})
                self.page.screenshot(path=SCREENSHOTS / f"{_slug(name)}-{width}-{colours}.png", full_page=True)
                too_wide: Any = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                if too_wide > 0:
                    wrong.append(f"{name} at {width}: {too_wide} px too wide")
            wrong += [f"{name}, {colours}: {one}" for one in violations(self.page, rules)]
        self.page.emulate_media(color_scheme="light")
        wrong += [f"{name}: {one}" for one in self.complaints]
        self.complaints.clear()
        return wrong


def violations(page: Page, rules: Sequence[str] = _RULES) -> list[str]:
    """What axe-core finds wrong with a page by these tags or rules, each with the first element it found it on."""
    found = Axe().run(page, options={"runOnly": list(rules), "resultTypes": ["violations"]})
    return [f"{one['id']}: {one['help']} ({one['nodes'][0]['html'][:160]})" for one in found.response["violations"]]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
