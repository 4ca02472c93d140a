"""The console's API, asked as a program would, over rows that intake made of real requests."""

import csv
import io
import re
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from werkzeug.test import TestResponse

from shared.domain.api_scopes import Scope
from shared.ids import item_id
from shared.limits import RefusalLimit
from shared.queue import Work
from tests.integration.api.programs import NOW, PHONE, Program, sale
from tests.integration.web.site import CONSOLE_URL, Site


def test_a_sale_is_followed_from_its_acceptance_to_what_became_of_it(program: Program) -> None:
    waiting = item_id(program.accepted(sale()).id, 0)
    assert program.json(f"conversions/{waiting}")["submission"]["state"] == "processing"
    first, again = program.reported(sale(), sale())
    told = program.json(f"conversions/{first}")
    assert told["conversion"]["id"] == str(first)
    assert (told["conversion"]["value"], told["conversion"]["currency"]) == ("19.90", "EUR")
    assert told["conversion"]["attribution_words"].endswith(".")
    assert told["submission"]["state"] == "stored"
    repeated = program.json(f"conversions/{again}")
    assert repeated["submission"]["state"] == "duplicate"
    assert repeated["submission"]["words"] == "This event of the order is known already."
    assert repeated["conversion"]["id"] == str(first)
    assert {one["id"] for one in repeated["reports"]} == {str(first), str(again)}


def test_what_was_refused_says_why_and_what_to_do(program: Program) -> None:
    (refused,) = program.reported(sale(value="5", currency="EUR", channel="nowhere"))
    submission = program.json(f"conversions/{refused}")["submission"]
    assert (submission["state"], submission["reason"]) == ("refused", "channel_unknown")
    assert submission["words"]
    assert submission["next_step"]
    (stage,) = program.reported({"contact": {"phone": PHONE}, "stage": "won"}, kind="contacts/stage")
    assert program.json(f"submissions/{stage}")["state"] == "stored"


def test_an_order_is_found_and_pages_go_on_where_the_last_one_ended(program: Program) -> None:
    hours = range(1, 8)
    program.reported(*(sale(order_id=f"A-{n}", occurred_at=(NOW - timedelta(hours=n)).isoformat()) for n in hours))
    assert [one["order_id"] for one in program.json("conversions?order_id=A-3")["data"]] == ["A-3"]
    for sort, wanted in (("-occurred_at", list(hours)), ("occurred_at", list(hours)[::-1])):
        seen: list[str] = []
        cursor = ""
        while cursor is not None:
            answer = program.json(f"conversions?limit=3&sort={sort}{cursor and f'&cursor={cursor}'}")
            seen += [one["order_id"] for one in answer["data"]]
            cursor = answer["next_cursor"]
        assert seen == [f"A-{n}" for n in wanted]


def test_a_contact_is_found_by_a_name_that_is_in_no_url(program: Program) -> None:
    program.reported(sale())
    found = program.json("contacts/search", method="POST", json={"phone": "+1 (555) 010-0123"})
    assert [one["value"] for one in found["identities"]] == ["+1555•••0123"]
    assert [one["order_id"] for one in found["conversions"]] == ["A-1"]
    assert program.json(f"contacts/{found['id']}") == found
    assert found["url"].endswith(f"/contacts/{found['id']}")
    assert program.ask("contacts/search", method="POST", json={"phone": "+15550100199"}).status_code == 404


def test_touchpoints_are_taken_over_as_an_import(program: Program) -> None:
    item = {"contact": {"phone": PHONE}, "channel": "sales", "occurred_at": "2026-05-02T09:30:00Z", "external_id": 7}
    answer = program.ask("touchpoints", method="POST", json={"data": [item, item]})
    assert answer.status_code == 202
    (row,) = program.site.rows("select id, source, path, headers from webhooks")
    assert (row["source"], row["path"]) == ("import", "touchpoints")
    promised = answer.get_json()["data"]
    assert [UUID(one["id"]) for one in promised] == [item_id(row["id"], 0), item_id(row["id"], 1)]
    assert program.json(f"submissions/{promised[1]['id']}")["state"] == "processing"
    wrong = program.ask("touchpoints", method="POST", json=item | {"occurred_at": "yesterday"})
    assert wrong.status_code == 422
    assert wrong.get_json()["errors"][0]["field"] == "occurred_at"


def test_nothing_of_another_workspace_is_there(program: Program) -> None:
    (own,) = program.reported(sale())
    contact_id = program.json(f"conversions/{own}")["conversion"]["contact_id"]
    waiting = item_id(program.accepted(sale(order_id="A-2")).id, 0)
    other = Program(program.site, "elsewhere")
    for path in (f"conversions/{own}", f"conversions/{waiting}", f"submissions/{own}", f"contacts/{contact_id}"):
        assert other.ask(path).status_code == 404, path
    assert other.ask("contacts/search", method="POST", json={"phone": PHONE}).status_code == 404
    for path in ("conversions", "conversions?order_id=A-1", "touchpoints", "deliveries", "channels", "datasets"):
        assert other.json(path)["data"] == [], path


def test_who_may_ask_what(program: Program) -> None:
    writer = Program(program.site, scopes=[Scope.CONVERSIONS_WRITE])
    assert writer.ask("conversions").status_code == 403
    reader = Program(program.site, scopes=[Scope.RESULTS_READ])
    assert reader.ask("touchpoints", method="POST", json={}).status_code == 403
    assert reader.ask("audit").status_code == 403
    client = program.site.app.test_client()
    for headers in ({}, {"Authorization": "Bearer ctwa_" + "x" * 43}, {"Authorization": "Basic eDp5"}):
        refused = client.get("/api/v1/conversions", base_url=CONSOLE_URL, headers=headers)
        assert refused.status_code == 401
        assert refused.content_type == "application/problem+json"
    program.site.rows("select 1")
    with psycopg.connect(program.site.owner_url) as conn:
        conn.execute("update api_keys set revoked_at = now() where id = %s", [reader.key_id])
    assert reader.ask("conversions").status_code == 401


def test_a_person_reads_with_their_session_and_only_an_owner_sees_the_audit_log(site: Site) -> None:
    viewer, owner = site.as_role("viewer"), site.as_role("owner")
    assert viewer.get("/api/v1/conversions").status_code == 200
    assert viewer.get("/api/v1/audit").status_code == 403
    assert owner.get("/api/v1/audit").status_code == 200
    search = viewer.client.post("/api/v1/contacts/search", json={"phone": PHONE}, base_url=CONSOLE_URL)
    assert search.status_code == 403
    assert viewer.get("/api/v1/conversions?workspace=elsewhere").status_code == 404


def test_the_use_of_a_key_is_written_down(program: Program) -> None:
    program.json("channels")
    (row,) = program.site.rows("select last_used_at from api_keys")
    assert row["last_used_at"] is not None


def test_lists_are_tables_too_and_unchanged_ones_cost_nothing(program: Program) -> None:
    program.reported(sale(order_id="=1+1"))
    table = list(csv.DictReader(io.StringIO(program.ask("conversions?format=csv").text)))
    assert (table[0]["order_id"], table[0]["value"]) == ("'=1+1", "19.90")
    answer = program.ask("conversions")
    again = program.ask("conversions", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "sort=value", "cursor=abc", "cursor=W10", "since=2026-01-01", "limt=5", "format=x"],
)
def test_a_parameter_that_cannot_be_used_is_a_problem_that_names_it(program: Program, query: str) -> None:
    answer = program.ask(f"conversions?{query}")
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert query.partition("=")[0] in answer.text


@pytest.mark.parametrize("path", ["conversions?order_id=%00", "deliveries?reason=a%00b", "touchpoints?ad_id=%00"])
def test_a_parameter_that_no_database_takes_is_refused(program: Program, path: str) -> None:
    answer = program.ask(path)
    assert (answer.status_code, "NUL" in answer.get_json()["detail"]) == (422, True)


def test_refused_keys_are_told_to_wait_and_a_good_one_is_let_in(program: Program) -> None:
    program.site.runtime.refusals = RefusalLimit(burst=2, per_second=0)
    client = program.site.app.test_client()

    def refused() -> TestResponse:
        headers = {"Authorization": "Bearer ctwa_" + "x" * 43}
        return client.get("/api/v1/conversions", base_url=CONSOLE_URL, headers=headers)

    assert [refused().status_code for _ in range(3)] == [401, 401, 429]
    assert refused().headers["Retry-After"] == "30"
    assert program.ask("conversions").status_code == 200


def test_history_that_is_taken_over_rings_for_intake(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[Work] = []
    monkeypatch.setattr(program.site.runtime, "ring_for", rung.append)
    touch = {"contact": {"phone": PHONE}, "channel": "sales", "occurred_at": NOW.isoformat(), "external_id": "x-1"}
    assert program.ask("touchpoints", method="POST", json={"data": []}).status_code == 422
    assert rung == []
    assert program.ask("touchpoints", method="POST", json=touch).status_code == 202
    assert rung == [Work.INTAKE]


def test_the_viewer_loads_our_own_files_and_nothing_else(site: Site) -> None:
    client = site.app.test_client()
    page = client.get("/api/docs", base_url=CONSOLE_URL)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 5
    for path in loaded:
        answer = client.get(path, base_url=CONSOLE_URL, buffered=True)
        assert answer.status_code == 200, path
