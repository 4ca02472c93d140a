"""Rules by the API: the whole life of one, what a key may, and what it can't see."""

from typing import Any

import pytest

from console.team.roles import Role
from shared.domain.api_scopes import Scope
from tests.integration.api.programs import Program

WHEN = {"on": "outgoing", "keywords": ["agendado"], "by": "human"}
THEN = {"event": "QualifiedLead", "add_tags": ["qualified"]}
RULE = {"name": "qualified", "when": WHEN, "then": THEN}


def added(program: Program, **fields: Any) -> dict[str, Any]:
    answer = program.ask("rules", method="POST", json={**RULE, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def test_a_rule_is_added_tried_switched_on_changed_and_removed(program: Program) -> None:
    rule = added(program)
    assert (rule["enabled"], rule["version"], rule["fired"], rule["warnings"]) == (False, 1, 0, [])
    assert rule["then"] == {**THEN, "once": "click"}
    path = f"rules/{rule['id']}"
    tried = program.json(f"{path}/trial")
    assert (tried["webhooks"], tried["fired"], tried["marks"]) == (0, 0, {})
    people = {role: program.site.as_role(role).get(f"/api/v1/{path}/trial").status_code for role in Role}
    assert people == {Role.VIEWER: 403, Role.OPERATOR: 200, Role.OWNER: 200}
    assert program.json(path, method="PATCH", json={"enabled": True})["enabled"] is True
    changed = program.json(path, method="PATCH", json={"then": {"stage": "hot"}})
    assert (changed["version"], changed["enabled"], changed["then"]) == (2, True, {"stage": "hot"})
    assert [one["then"] for one in program.json(f"{path}/versions")["data"]] == [{"stage": "hot"}, rule["then"]]
    assert [one["id"] for one in program.json("rules")["data"]] == [rule["id"]]
    assert program.ask(path, method="DELETE").status_code == 204
    assert program.ask(path).status_code == 404
    assert program.json("rules")["data"] == []
    entries = program.site.rows("select action, actor from audit_log where starts_with(subject, 'rule:') order by id")
    assert [one["action"] for one in entries] == ["rule.add", "rule.change", "rule.change", "rule.remove"]
    assert {one["actor"] for one in entries} == {f"api_key:{program.key_id}"}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({**RULE, "when": {"on": "stage"}}, 422, "when.is: stage needs it"),
        ({**RULE, "then": {}}, 422, "say what follows"),
        ({**RULE, "then": {"stage": "a\x00b"}}, 422, "no database takes"),
        ({**RULE, "channel": "elsewhere"}, 422, "no channel of this name"),
        ({**RULE, "also": 1}, 422, "also"),
        ({**RULE, "name": "qualified"}, 409, "already"),
        ({"name": "x"}, 422, "when"),
    ],
)
def test_what_cannot_be_a_rule_is_refused_in_words(
    program: Program, body: dict[str, Any], status: int, words: str
) -> None:
    added(program)
    answer = program.ask("rules", method="POST", json=body)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def test_a_definition_is_tried_before_it_is_a_rule(program: Program) -> None:
    answer = program.ask("rules/try", method="POST", json={"when": WHEN, "then": THEN})
    assert (answer.status_code, answer.get_json()["webhooks"]) == (200, 0), answer.text
    assert program.json("rules")["data"] == []


def test_a_key_changes_rules_only_with_the_scope_and_only_of_its_workspace(program: Program) -> None:
    path = f"rules/{added(program)['id']}"
    reader = Program(program.site, scopes=[Scope.RESULTS_READ])
    other = Program(program.site, "elsewhere")
    assert reader.ask(path).status_code == 200
    for method, body in (("PATCH", {"enabled": True}), ("DELETE", None)):
        assert reader.ask(path, method=method, json=body).status_code == 403
        assert other.ask(path, method=method, json=body).status_code == 404
    assert reader.ask("rules", method="POST", json=RULE).status_code == 403
    assert other.ask(path).status_code == 404
    assert other.json("rules")["data"] == []
