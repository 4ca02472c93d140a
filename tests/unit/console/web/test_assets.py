"""What is vendored is what was vendored, and no page asks for anything of another's."""

import hashlib
import json
import re
from pathlib import Path

from console.web.assets import STATIC

VENDOR = STATIC / "vendor"
TEMPLATES = STATIC.parent / "templates"


def test_every_vendored_file_is_the_one_that_was_taken_over_with_its_licence():
    packages = json.loads((VENDOR / "vendor.json").read_text())
    assert {package["folder"] for package in packages} == {path.name for path in VENDOR.iterdir() if path.is_dir()}
    for package in packages:
        folder = VENDOR / package["folder"]
        hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        assert hashes == package["files"], folder.name
        assert package["version"] in folder.name
        assert "LICENSE" in hashes
        assert package["licence"]


def pages() -> dict[Path, str]:
    return {path: path.read_text() for path in TEMPLATES.rglob("*.html")}


def test_no_page_has_a_script_a_style_or_a_handler_in_it():
    for path, text in pages().items():
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), path
        assert "|safe" not in text.replace(" ", ""), path


def test_no_page_or_file_of_ours_asks_another_host_for_anything():
    ours = [*STATIC.glob("*.js"), *STATIC.glob("*.css"), *STATIC.glob("*.svg")]
    for path, text in {**pages(), **{path: path.read_text() for path in ours}}.items():
        assert not re.search(r"(src|href|url\()[=\"'(]*(https?:)?//", text), path


def test_every_form_that_changes_something_carries_its_token():
    for path, text in pages().items():
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.DOTALL):
            assert "csrf" in form, path


def test_every_icon_that_is_asked_for_exists():
    there = set(re.findall(r'<symbol id="([a-z]+)"', (STATIC / "icons.svg").read_text()))
    for path, text in pages().items():
        assert set(re.findall(r'icon\("([a-z]+)"\)', text)) <= there, path
