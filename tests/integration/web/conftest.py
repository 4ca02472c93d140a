"""The console on a database of the test, as the role that production gives it."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from playwright.sync_api import Browser
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from console.web.app import create_app
from console.web.runtime import Runtime
from shared.crypto import generate_key
from shared.db.migrate import set_role_passwords
from shared.settings import load_settings
from tests.databases import with_database
from tests.integration.console.commands import CONSOLE_PASSWORD
from tests.integration.receiver.harness import free_port, wait_until
from tests.integration.web.business import make_up_business
from tests.integration.web.pages import Watched, running_chromium
from tests.integration.web.site import CONSOLE_URL, Site

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def console_role(postgres_url: str) -> str:
    """The console's role with a password, on the whole test server."""
    with psycopg.connect(postgres_url) as conn:
        set_role_passwords(conn, {"ctwa_console": CONSOLE_PASSWORD})
    return "ctwa_console"


@pytest.fixture(scope="session")
def business_template(postgres_url: str) -> str:
    """The name of a database in which the business has been made up; it takes too long for every test."""
    name = "ctwa_business"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        # Another folder's tests may have had it made.
        if conn.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            return name
        conn.execute(f"create database {name} template ctwa_template")
    with psycopg.connect(with_database(postgres_url, name)) as conn:
        make_up_business(conn)
    return name


@pytest.fixture
def business_url(postgres_url: str, business_template: str) -> Iterator[str]:
    """A database of this test alone with the business in it; the URL is the owner's. For tests of pages of figures."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(f"create database {name} template {business_template}")
    yield with_database(postgres_url, name)
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(f"drop database {name} with (force)")


@pytest.fixture
def console_environment(database_url: str, console_role: str) -> dict[str, str]:
    """What the console is started with."""
    parts: dict[str, Any] = conninfo_to_dict(database_url)
    return {
        "DATABASE_URL": make_conninfo(**{**parts, "user": console_role, "password": CONSOLE_PASSWORD}),
        "SECRET_KEYS": generate_key(),
        "HASH_KEYS": generate_key(),
        "TOKEN_KEYS": generate_key(),
        "CONSOLE_URL": CONSOLE_URL,
        "PUBLIC_URL": "https://hooks.example.com",
    }


@pytest.fixture
def site(console_environment: dict[str, str], database_url: str) -> Iterator[Site]:
    """The console's application in this process."""
    runtime = Runtime(load_settings(console_environment), connections=4)
    app = create_app(runtime)
    app.config["SERVER_NAME"] = None
    app.testing = False
    yield Site(app, runtime, database_url)
    runtime.close()


@pytest.fixture
def served(console_environment: dict[str, str], site: Site, tmp_path: Path) -> Iterator[str]:
    """The address of `python -m console.web` as a real process, on the database and keys of `site`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
        **console_environment,
        "CONSOLE_URL": url,
        "PYTHONPATH": str(ROOT),
        "LOG_FORMAT": "json",
    }
    with (tmp_path / "console.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "console.web", "--port", str(port)],
            env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(lambda: process.poll() is not None or _is_ready(url), 60)
        assert process.poll() is None, (tmp_path / "console.log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; tests that ask for it are skipped where there is none."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def visitor(chromium: Browser, served: str) -> Iterator[Watched]:
    """A page of a browser that nobody has logged in with, on the real process."""
    context = chromium.new_context(locale="en-US")
    yield Watched(context.new_page(), served)
    context.close()


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=2).status_code == 200
    except requests.ConnectionError:
        return False
