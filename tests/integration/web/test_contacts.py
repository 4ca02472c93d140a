"""Contacts in the console: masked until somebody asks, looked for by POST, changed, exported and erased."""

import json

import pytest

from tests.integration.web.demo import WORKSPACE, fill_demo
from tests.integration.web.test_deliveries import HOSTILE
from tests.integration.web.test_pages import log_in
from tests.integration.web.test_team import said


@pytest.fixture
def shop(site):
    fill_demo(site)
    site.execute("update touchpoints set headline = %s", HOSTILE)
    site.execute("update contacts set stage = %s, tags = array[%s]", HOSTILE, HOSTILE)
    return site


def somebody(site):
    """A contact of an ad, and their phone number."""
    row = site.rows(
        "select i.contact_id, i.ciphertext from contact_identities i join touchpoints t using (contact_id)"
        " where i.kind = 'phone' order by i.id limit 1"
    )[0]
    return row["contact_id"], site.runtime.ring.open(bytes(row["ciphertext"])).decode()


def test_people_are_listed_with_names_shortened_and_hostile_words_as_words(shop):
    number, phone = somebody(shop)
    viewer = shop.as_role("viewer", WORKSPACE)
    pages = [viewer.get(shop.path(path, WORKSPACE)).text for path in ("contacts/?test=1", f"contacts/{number}")]
    for page in pages:
        assert phone not in page
        assert HOSTILE not in page
        assert "&lt;img src=x" in page
    # With test channels alone, test rows are shown unasked, as figures show them.
    assert "Nobody has written yet" not in viewer.get(shop.path("contacts/", WORKSPACE)).text
    assert "no. " in viewer.get(shop.path("contacts/", WORKSPACE)).text
    shop.execute("update channels set is_test = false where id = (select min(id) from channels)")
    shop.execute("update datasets set is_test = false")
    assert "Nobody has written yet" in viewer.get(shop.path("contacts/", WORKSPACE)).text


def test_a_person_is_found_by_a_number_that_stands_in_no_address(shop):
    number, phone = somebody(shop)
    viewer = shop.as_role("viewer", WORKSPACE)
    answer = viewer.post(
        shop.path("contacts/search", WORKSPACE), {"kind": "phone", "name": f"+{phone}"}, page="/account/"
    )
    assert answer.headers["Location"].endswith(f"/contacts/{number}")
    nobody = viewer.post(shop.path("contacts/search", WORKSPACE), {"kind": "phone", "name": "+15550009999"})
    assert "Nobody in this workspace" in nobody.text
    wrong = viewer.post(shop.path("contacts/search", WORKSPACE), {"kind": "phone", "name": "12"})
    assert "country code" in wrong.text
    stranger = shop.as_role("owner")
    found = stranger.post(shop.path("contacts/search"), {"kind": "phone", "name": phone}, page="/account/")
    assert "Nobody in this workspace" in found.text
    assert stranger.get(shop.path(f"contacts/{number}")).status_code == 404
    assert stranger.post(shop.path(f"contacts/{number}/export")).status_code == 404


def test_names_are_shown_in_full_to_operators_and_that_is_noted(shop):
    number, phone = somebody(shop)
    path = shop.path(f"contacts/{number}", WORKSPACE)
    assert shop.as_role("viewer", WORKSPACE).post(f"{path}/reveal").status_code == 403
    assert phone in shop.as_role("operator", WORKSPACE).post(f"{path}/reveal", page=path).text
    assert shop.rows("select workspace, subject from audit_log where action = 'contact.reveal'") == [
        {"workspace": WORKSPACE, "subject": f"contact:{number}"}
    ]


def test_what_operators_say_is_handed_to_intake_sealed(shop):
    number, _ = somebody(shop)
    operator = shop.as_role("operator", WORKSPACE)
    path = shop.path(f"contacts/{number}", WORKSPACE)
    for part, form in (
        ("stage", {"stage": "qualified"}),
        ("tags", {"add": "vip"}),
        ("tags", {"remove": "vip"}),
        ("consent", {"given": "0"}),
    ):
        answer = operator.post(f"{path}/{part}", form, page=path)
        assert said(operator, answer)[0].startswith("Noted."), part
    rows = shop.rows("select path, body from webhooks where source = 'import' order by received_at, id")
    assert [row["path"] for row in rows] == ["contacts/stage", "contacts/tags", "contacts/tags", "contacts/consent"]
    [item] = json.loads(shop.runtime.ring.open(bytes(rows[0]["body"])))["data"]
    assert (item["contact"], item["stage"]) == ({"id": number}, "qualified")


def test_all_that_is_held_is_exported_and_erased_only_by_owners_and_with_the_number_typed(shop):
    number, phone = somebody(shop)
    path = shop.path(f"contacts/{number}", WORKSPACE)
    operator, owner = shop.as_role("operator", WORKSPACE), shop.as_role("owner", WORKSPACE)
    assert {operator.post(f"{path}/{part}", page=path).status_code for part in ("export", "erase")} == {403}
    document = json.loads(owner.post(f"{path}/export", page=path).text)
    assert phone in [row["value"] for row in document["identities"]]
    first = owner.post(f"{path}/erase").text
    assert f"Type {number} to erase" in first
    assert "Events for Meta" in first
    assert "not the number" in owner.post(f"{path}/erase", {"typed": "1234567"}).text
    assert shop.rows("select id from erasures") == []
    owner.post(f"{path}/erase", {"typed": str(number)})
    assert shop.rows("select contact_ids from erasures")[0]["contact_ids"][0] == number
    assert "being erased" in owner.get(path).text
    actions = [
        row["action"] for row in shop.rows("select action from audit_log where workspace = %s order by id", WORKSPACE)
    ]
    assert actions[-2:] == ["contact.export", "contact.erase"]


@pytest.mark.timeout(600)
def test_contacts_look_right(shop, visitor):
    shop.execute(
        "update contacts set stage = case id %% 3 when 0 then 'qualified' when 1 then 'won' end, tags = '{vip}'"
    )
    shop.execute("update touchpoints set headline = 'Sofas for small rooms'")
    number, _ = somebody(shop)
    shop.add_user("ana@example.com", name="Ana Souza")
    log_in(visitor, "ana@example.com")
    wrong = []
    for name, path in (("contacts", "contacts/?test=1"), ("contact", f"contacts/{number}")):
        visitor.open(shop.path(path, WORKSPACE))
        wrong += visitor.look(name)
    visitor.page.get_by_role("button", name="Erase …").click()
    visitor.page.wait_for_load_state("networkidle")
    wrong += visitor.look("erase")
    assert wrong == []
