"""Importing sales and past clicks from files, and what a person says of contacts by hand: over a real database."""

import csv
import stat
import threading
from decimal import Decimal

import pytest

from tests.integration.workers.reports import PHONE, hours_ago, report, sale
from tests.integration.workers.world import World

WON = "15550100002"


@pytest.fixture
def channel(world: World) -> int:
    """A channel with a dataset, and one contact who came by an ad three hours ago."""
    channel = world.add_channel(dataset_id=world.add_dataset(), currency="EUR")
    world.receive_sample(channel, phone=PHONE, now=hours_ago(3))
    world.receive_sample(channel, "organic", phone=WON, now=hours_ago(3))
    world.intake()
    return channel


@pytest.fixture
def sales(tmp_path):
    """A file as a shop exports it: semicolons, its own headings, and a row of every kind."""
    path = tmp_path / "sales.csv"
    rows = [
        ("Telefone", "Order Date", "Amount", "Currency", "Order Number", "Note"),
        (f"+{PHONE}", hours_ago(1).isoformat(), "49.90", "EUR", "A1", "new"),
        (f"+{PHONE}", hours_ago(1).isoformat(), "49.90", "EUR", "A1", "twice in the file"),
        (f"+{PHONE}", hours_ago(1).isoformat(), "1,234.50", "", "A2", "the channel's currency"),
        (f"+{WON}", hours_ago(1).isoformat(), "10", "EUR", "A3", "no ad"),
        ("+15550100009", hours_ago(1).isoformat(), "10", "EUR", "A4", "never wrote"),
        (f"+{PHONE}", hours_ago(24 * 8).isoformat(), "10", "EUR", "A5", "old"),
        (f"+{PHONE}", "yesterday", "10", "EUR", "A6", "bad time"),
        ("12", hours_ago(1).isoformat(), "10", "EUR", "A7", "bad phone"),
        (f"+{PHONE}", hours_ago(1).isoformat(), "10", "EUR", "", "no order id"),
        (f"+{PHONE}", hours_ago(1).isoformat(), "10", "EUR", "", "no order id"),
    ]
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    return path


def test_a_preview_says_what_would_become_of_each_row_and_stores_nothing(cli, world, channel, sales):
    found = cli.json("conversions", "import", str(sales), "--dry-run", "--show", "100", code=1)
    assert found["verdicts"] == {
        "new": 4, "unattributed": 1, "unknown contact": 1, "expired": 1, "duplicate": 1, "bad": 2,
    }  # fmt: skip
    reasons = {row["line"]: row["reason"] for row in found["rows"] if row["verdict"] == "bad"}
    assert "must be a time like" in reasons[8]
    assert "contact.phone" in reasons[9]
    assert cli.rows("select from webhooks where source = 'import'") == []
    assert list(sales.parent.iterdir()) == [sales]


def test_an_import_is_stored_read_and_told_and_bad_rows_lie_beside_the_file(cli, world, channel, sales):
    done = threading.Event()

    def work():
        while not done.wait(0.2):
            world.intake()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        printed = cli("conversions", "import", str(sales), "--yes", code=1).output
    finally:
        done.set()
        worker.join()
    assert "stored: 7" in printed
    bad_file = sales.parent / "sales.bad.csv"
    assert stat.S_IMODE(bad_file.stat().st_mode) == 0o600
    with bad_file.open(newline="") as file:
        bad = list(csv.DictReader(file))
    assert [(row["Note"], row["line"]) for row in bad] == [("bad time", "8"), ("bad phone", "9")]
    assert "occurred_at: must be a time" in bad[0]["reason"]
    [logged] = cli.rows("select detail from audit_log where action = 'conversions.import'")
    assert logged["detail"]["items"] == 7
    assert PHONE not in str(logged)


def test_importing_the_same_file_again_changes_nothing(cli, world, channel, sales):
    cli("conversions", "import", str(sales), "--yes", "--no-wait", code=1)
    world.intake()
    before = cli.rows("select id, state from submissions order by id")
    found = cli.json("conversions", "import", str(sales), "--yes", "--no-wait", code=1)
    world.intake()
    assert found["verdicts"] == {"duplicate": 8, "bad": 2}
    assert found["imported"] == 0
    assert cli.rows("select id, state from submissions order by id") == before


def test_what_was_imported_is_listed_and_shown_with_its_state_attribution_and_flags(cli, world, channel, sales):
    cli("conversions", "import", str(sales), "--yes", "--no-wait", code=1)
    world.intake()
    listed = cli.json("conversions", "list", "--source", "csv", "--attributed")
    assert {row["order_id"] for row in listed} == {"A1", "A2", None}
    shown = cli.json("conversions", "show", "A2")
    assert (shown["value"], shown["currency"], shown["net"]) == ("1234.50", "EUR", "1234.50")
    assert [one["flag"] for one in shown["flags"]] == ["currency_from_channel"]
    assert shown["attribution"] == "last_click"
    assert shown["submissions"][0]["state"] == "stored"
    assert shown["first_touch"]["older_click"] is None
    printed = cli("conversions", "show", shown["id"]).output
    assert "last ad click before it" in printed
    assert "There is no" not in cli("conversions", "list", "--flag", "currency_from_channel").output
    assert "No conversion has that id" in cli("conversions", "show", "nothing", code=2).output


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("phone,time\n", "no rows"),
        ("name,time\nAnn,1\n", "No column says who"),
        ("phone,amount\n1,1\n", "There is no column occurred_at"),
        ("phone,mobile,time\n1,2,3\n", "Two columns mean phone"),
    ],
)
def test_what_is_no_such_file_is_refused_with_what_it_lacks(cli, world, channel, tmp_path, content, says):
    path = tmp_path / "x.csv"
    path.write_text(content)
    assert says in cli("conversions", "import", str(path), "--dry-run", code=2).output


def test_past_clicks_keep_their_time_are_never_sent_and_take_over_sales(cli, world, channel, tmp_path):
    path = tmp_path / "history.csv"
    moment = hours_ago(24 * 5)
    path.write_text(
        "phone,created at,record id,ad name,source\n"
        f"+{WON},{moment.isoformat()},deal-1,Free delivery,instagram\n"
        f"+{WON},{moment.isoformat()},deal-1,Free delivery,instagram\n"
    )
    sale = tmp_path / "sale.csv"
    sale.write_text(f"phone,time,value,currency,order\n+{WON},{hours_ago(1).isoformat()},10,EUR,A1\n")
    cli("conversions", "import", str(sale), "--yes", "--no-wait")
    world.intake()
    found = cli.json("touchpoints", "import", str(path), "--channel", "sales", "--yes", "--no-wait")
    assert found["verdicts"] == {"history": 1, "duplicate": 1}
    world.intake()
    [touch] = cli.rows("select occurred_at, headline, source, class from touchpoints where source = 'import'")
    assert (touch["occurred_at"], touch["headline"]) == (moment, "Free delivery")
    shown = cli.json("conversions", "show", "A1")
    assert (shown["attribution"], shown["deliveries"][0]["reason"]) == ("late_click", "no_click_id")
    again = cli.json("touchpoints", "import", str(path), "--channel", "sales", "--yes", "--no-wait")
    assert again["verdicts"] == {"duplicate": 2}
    sale.write_text(f"phone,time,value,currency,order\n+{WON},{hours_ago(1).isoformat()},20,EUR,A2\n")
    assert cli.json("conversions", "import", str(sale), "--dry-run")["verdicts"] == {"no click id": 1}
    assert "no channel 'other'" in cli("touchpoints", "import", str(path), "--channel", "other", code=1).output


def test_stages_tags_and_consent_are_set_by_hand_and_audited(cli, world, channel):
    [contact] = cli.rows("select contact_id as id from contact_identities where kind = 'phone' order by id limit 1")
    done = threading.Event()

    def work():
        while not done.wait(0.1):
            world.intake()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert "stored" in cli("contacts", "stage", str(contact["id"]), "--to", "won").output
        assert "stored" in cli("contacts", "tag", "--phone", f"+{PHONE}", "--add", "vip").output
        assert cli.json("contacts", "consent", str(contact["id"]), "--withdrawn")["became"] == "stored"
    finally:
        done.set()
        worker.join()
    [row] = cli.rows("select stage, tags, consent from contacts where id = %s", contact["id"])
    assert row == {"stage": "won", "tags": ["vip"], "consent": False}
    assert {row["source"] for row in cli.rows("select source from contact_changes")} == {"console"}
    actions = [row["action"] for row in cli.rows("select action from audit_log order by id")]
    assert actions == ["contacts/stage.set", "contacts/tags.set", "contacts/consent.set"]
    assert "--given or --withdrawn" in cli("contacts", "consent", str(contact["id"]), code=2).output


def test_the_trace_of_a_sale_names_its_report_and_what_changed_it(cli, world, channel):
    report(world, sale(WON, order="A1", value=Decimal(10), currency="EUR"))
    world.receive_sample(channel, phone=WON, now=hours_ago(2))
    world.intake()
    report(world, sale(order="A1", value=Decimal(12), currency="EUR", amends=True), origin="csv")
    [row] = cli.rows("select id from deliveries where event_name = 'Purchase'")
    found = cli.json("delivery", str(row["id"]))["conversion"]
    assert [(one["source"], one["state"]) for one in found["submissions"]] == [("api", "stored"), ("csv", "changed")]
    assert [one["kind"] for one in found["changes"]] == ["attribution", "amendment"]
    printed = cli("delivery", str(row["id"])).output
    assert "amendment 12 EUR by csv" in printed
    assert "late_click" in printed
