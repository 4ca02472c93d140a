"""What may be asked of figures; spend, ad accounts and alerts that programs bring in and change."""

from decimal import Decimal
from typing import Any

from shared.domain.api_scopes import Scope
from tests.integration.api.programs import Program
from tests.integration.web.site import Site

REFUSED = {
    "funnel?period=tomorrow": "period",
    "funnel?period=7d&since=2026-11-01": "not both",
    "funnel?since=2026-11-02&until=2026-11-01": "before it begins",
    "funnel?since=2000-01-01": "are the most",
    "funnel?channel=nowhere": "GET /api/v1/channels",
    "funnel?account=nobody": "GET /api/v1/ad-accounts",
    "funnel?currency=money": "currency",
    "funnel?limit=5": "limit",
    "timeseries?cursor=W10": "cursor",
    "ads?campaign_id=1&ad_id=2": "Give one",
    "ads?sort=luck": "sort",
    "spend?cursor=W10": "cursor",
    "funnel?since=0001-01-01&until=0001-01-31": "period",
    "ads?since=9999-12-01&until=9999-12-31": "period",
    "alerts?state=loud": "state",
}


def test_a_question_that_has_no_answer_is_refused_in_words(program: Program) -> None:
    for path, words in REFUSED.items():
        answer = program.ask(path)
        assert (answer.status_code, words in answer.text) == (422, True), (path, answer.text)


ACCOUNT = {"name": "conta", "zone": "America/Sao_Paulo"}


def row(**fields: Any) -> dict[str, Any]:
    return {"date": "2026-11-20", "ad_id": "9001", "spend": "12.50", "currency": "BRL", **fields}


def bring(program: Program, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = program.json("spend", method="POST", json={"account": "conta", "data": rows, **more})
    return found


def test_spend_is_judged_row_by_row_stored_once_and_audited(program: Program) -> None:
    assert program.ask("ad-accounts", method="POST", json=ACCOUNT).status_code == 201
    assert program.ask("ad-accounts", method="POST", json=ACCOUNT).status_code == 409
    assert bring(program, row(), dry_run=True)["stored"] == 0
    first = bring(
        program,
        row(ad_name="Summer", campaign_id="c:77001", impressions=900, conversations=4),
        row(),
        row(ad_id="1.2E+17"),
        row(ad_id="9002", currency="USD"),
        {"date": "2026-11-20", "campaign_name": "Winter", "spend": 3},
        {"date": "2026-11-21", "spend": 7.25},
        row(date="9999-12-31"),
        row(spend="0." + "1" * 20_000),
    )
    assert [one["verdict"] for one in first["data"]] == [
        "new", "twice_in_file", "id_rounded", "spend_currency_differs", "other_level", "new", "date_invalid",
        "number_invalid",
    ]  # fmt: skip
    assert [one["refused"] for one in first["data"]] == [False, True, True, True, True, False, True, True]
    assert all(bool(one["words"]) is one["refused"] for one in first["data"])
    assert first["stored"] == 2
    assert bring(program, row(spend="13"))["verdicts"] == {"changed": 1}
    assert bring(program, row(spend="13.00"))["verdicts"] == {"same": 1}
    listed = program.json("spend?since=2026-11-01&until=2026-11-30")["data"]
    assert [(one["date"], one["level"], one["spend"], one["ad_name"]) for one in listed] == [
        ("2026-11-21", "account", "7.25", None),
        ("2026-11-20", "ad", "13", "Summer"),
    ]
    assert [one["currency"] for one in program.json("ad-accounts")["data"]] == ["BRL"]
    audited = program.site.rows("select actor, workspace from audit_log where action = 'spend.import'")
    assert {one["actor"] for one in audited} == {f"api_key:{program.key_id}"}
    long = program.ask(
        "spend", method="POST", data=b'{"account": 1' + b"0" * 5000 + b"}", content_type="application/json"
    )
    assert (long.status_code, "digits" in long.get_json()["detail"]) == (400, True)
    line = program.ask("ad-accounts", method="POST", json={**ACCOUNT, "name": "other", "currency": "BRL\n"})
    assert line.get_json()["currency"] == "BRL"
    with_zero = program.ask("spend", method="POST", json={"account": "conta", "data": [row(ad_name="a\0b", spend=-1)]})
    assert with_zero.status_code == 422
    assert {one["field"] for one in with_zero.get_json()["errors"]} == {"data.0.ad_name", "data.0.spend"}


def test_a_key_for_tests_brings_spend_into_accounts_for_tests_only(site: Site, program: Program) -> None:
    assert program.ask("ad-accounts", method="POST", json=ACCOUNT).status_code == 201
    tests = Program(site, is_test=True)
    refused = tests.ask("spend", method="POST", json={"account": "conta", "data": [row()]})
    assert (refused.status_code, "test" in refused.text) == (403, True)
    added = tests.ask("ad-accounts", method="POST", json={**ACCOUNT, "name": "trial", "test": False})
    assert added.get_json()["is_test"] is True
    assert tests.json("spend", method="POST", json={"account": "trial", "data": [row()]})["stored"] == 1


def test_a_key_needs_the_scope_and_sees_its_workspace_only(site: Site, program: Program) -> None:
    assert program.ask("ad-accounts", method="POST", json=ACCOUNT).status_code == 201
    bring(program, row())
    site.execute("insert into alerts (workspace, kind, subject) values ('default', 'unknown', 'x')")
    alert = program.json("alerts")["data"][0]
    assert alert["next_step"]
    reader, other = Program(site, scopes=[Scope.RESULTS_READ]), Program(site, "elsewhere")
    bodies = {
        "spend": {"account": "conta", "data": [row(spend="99")]},
        "ad-accounts": {"name": "another", "zone": "UTC"},
        f"alerts/{alert['id']}/acknowledge": None,
        f"alerts/{alert['id']}/resolve": None,
    }
    for path, body in bodies.items():
        assert reader.ask(path, method="POST", json=body).status_code == 403, path
    for path in ("spend", *list(bodies)[2:]):
        assert other.ask(path, method="POST", json=bodies[path]).status_code in (404, 422), path
    for path in ("spend?since=2026-11-01", "ad-accounts", "alerts"):
        assert other.json(path)["data"] == [], path
    assert other.ask(f"alerts/{alert['id']}").status_code == 404
    assert Decimal(program.json("spend?since=2026-11-01&until=2026-11-30")["data"][0]["spend"]) == Decimal("12.5")
    path = f"alerts/{alert['id']}"
    assert [program.json(f"{path}/acknowledge", method="POST")["state"] for _ in range(2)] == ["acknowledged"] * 2
    assert program.json(f"{path}/resolve", method="POST")["resolved_by"] == f"api_key:{program.key_id}"
    assert program.json("alerts")["data"] == []
    assert [one["id"] for one in program.json("alerts?state=resolved&kind=unknown")["data"]] == [alert["id"]]
    assert len(site.rows("select 1 from audit_log where action like 'alert.%%'")) == 2
