"""The console as its users meet it: an application on the test's database, and browsers that are logged in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from psycopg.rows import dict_row
from werkzeug.test import TestResponse

from console.team.passwords import hash_password
from console.team.roles import Role
from console.team.sessions import Client, open_session
from console.web.runtime import Runtime
from shared.db import memberships, users
from shared.db.workspaces import ensure_workspace

CONSOLE_URL = "http://127.0.0.1:8080"
PASSWORD = "four unrelated words"
_HASH = hash_password(PASSWORD)
CLIENT = Client(agent="Firefox on Linux", network="192.0.2.0/24")
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """A browser: keeps cookies, and sends forms with the token of the page before, from our own Origin."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.csrf = ""

    def get(self, path: str, **more: Any) -> TestResponse:
        response = self.client.get(path, base_url=CONSOLE_URL, buffered=True, **more)
        if found := _TOKEN.search(response.get_data(as_text=True)):
            self.csrf = found[1]
        return response

    def post(
        self, path: str, data: Mapping[str, Any] | None = None, *, page: str | None = None, **more: Any
    ) -> TestResponse:
        """Sends a form; `page` is opened before, for its token, where none was opened yet."""
        if page or not self.csrf:
            self.get(page or "/account/", follow_redirects=True)
        headers = {"Sec-Fetch-Site": "same-origin", **more.pop("headers", {})}
        response = self.client.post(
            path, data={"csrf_token": self.csrf, **(data or {})}, headers=headers, base_url=CONSOLE_URL, **more
        )
        if found := _TOKEN.search(response.get_data(as_text=True)):
            self.csrf = found[1]
        return response


@dataclass
class Site:
    """The application, and the rows behind it."""

    app: Flask
    runtime: Runtime
    owner_url: str
    users: dict[str, int] = field(default_factory=dict)

    def browser(self) -> Browser:
        """A browser that nobody has logged in with."""
        return Browser(self.app.test_client())

    def as_user(self, user_id: int) -> Browser:
        """A browser in which this user is logged in."""
        browser = self.browser()
        with psycopg.connect(self.owner_url) as conn:
            token = open_session(conn, user_id, CLIENT)
        browser.client.set_cookie("ctwa-session", token, domain="127.0.0.1")
        return browser

    def as_role(self, role: Role | str, workspace: str = "default") -> Browser:
        """A browser of a member with this role."""
        return self.as_user(self.member(role, workspace))

    def member(self, role: Role | str, workspace: str = "default") -> int:
        """The member of this role in the workspace, made at the first call; their id."""
        email = f"{role}@{workspace}.example"
        if email not in self.users:
            self.users[email] = self.add_user(email, role=Role(role), workspace=workspace)
        return self.users[email]

    def add_user(self, email: str, *, role: Role | None = None, workspace: str | None = None, name: str = "") -> int:
        """A user with the password PASSWORD; without a role, owner everywhere."""
        with psycopg.connect(self.owner_url) as conn:
            user_id = users.insert_user(
                conn, email=email, name=name, password_hash=_HASH, owner_everywhere=role is None
            )
            assert user_id is not None
            if role is not None and workspace is not None:
                ensure_workspace(conn, workspace)
                memberships.set_role(conn, user_id, workspace, role)
        return user_id

    def workspace_id(self, name: str = "default") -> int:
        """The id in the URLs of this workspace."""
        return int(self.rows("select id from workspaces where name = %s", name)[0]["id"])

    def path(self, rest: str, workspace: str = "default") -> str:
        """The path of a page of a workspace, such as /w/1/team/."""
        return f"/w/{self.workspace_id(workspace)}/{rest}"

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """What the database's owner sees."""
        with psycopg.connect(self.owner_url, row_factory=dict_row) as conn:
            return conn.execute(query, parameters).fetchall()

    def execute(self, query: str, *parameters: Any) -> None:
        with psycopg.connect(self.owner_url) as conn:
            conn.execute(query, parameters)
