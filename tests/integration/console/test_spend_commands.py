"""`ctwa accounts` and `ctwa spend`: files looked at, stored once, refused by the line; figures by hand."""

import csv

HEAD = "Dia,Identificação do anúncio,Nome do anúncio,Nome da campanha,Valor usado (BRL),Impressões\n"


def add_account(cli, name="shop", **options):
    cli("accounts", "add", name, "--zone", "America/Sao_Paulo", *[word for pair in options.items() for word in pair])


def write(tmp_path, *lines, head=HEAD):
    file = tmp_path / "export.csv"
    file.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return file


def verdicts(report):
    return [line["verdict"] for line in report["lines"]]


def test_a_file_is_looked_at_first_then_stored_and_changes_nothing_again(cli, tmp_path):
    add_account(cli)
    file = write(tmp_path, '2026-11-20,120,A,Camp,"1.234,50",10', '2026-11-20,121,B,Camp,"2,00",', ",,,,,")
    looked = cli.json("spend", "import", str(file), "--account", "shop")
    assert (looked["stored"], verdicts(looked)) == (0, ["new", "new"])
    assert cli.rows("select 1 from ad_spend_daily") == []
    stored = cli.json("spend", "import", str(file), "--account", "shop", "--yes")
    assert stored["stored"] == 2
    again = cli.json("spend", "import", str(file), "--account", "shop", "--yes")
    assert (again["stored"], verdicts(again)) == (0, ["same", "same"])
    listed = cli.json("spend", "list", "--account", "shop", "--since", "2026-11-20", "--until", "2026-11-20")
    assert [(one["ad_name"], one["campaign_name"], one["spend"], one["currency"]) for one in listed] == [
        ("A", "Camp", "1234.50", "BRL"), ("B", "Camp", "2.00", "BRL"),
    ]  # fmt: skip
    assert len(cli.rows("select 1 from audit_log where action = 'spend.import'")) == 1


def test_lines_that_cannot_be_used_are_written_beside_the_file(cli, tmp_path):
    add_account(cli)
    file = write(tmp_path, "2026-11-20,120,A,Camp,1.50,10", "2026-11-20,120,A,Camp,1.50,10", "never,121,B,Camp,2.00,")
    report = cli.json("spend", "import", str(file), "--account", "shop", "--yes", code=1)
    assert verdicts(report) == ["new", "twice_in_file", "date_invalid"]
    with (tmp_path / "export.refused.csv").open(encoding="utf-8") as refused:
        assert [row["reason"] for row in csv.DictReader(refused)] == ["twice_in_file", "date_invalid"]


def test_another_currency_level_or_a_day_of_metas_is_refused(cli, tmp_path):
    add_account(cli)
    cli("spend", "add", "--account", "shop", "--day", "2026-11-19", "--campaign", "Camp", "5.00", "BRL")
    cli.execute("insert into ad_account_days select id, '2026-11-18', 'ad', 'meta', now() from ad_accounts")
    head = "date,ad_id,spend,currency\n"
    file = write(tmp_path, "2026-11-20,120,1.50,USD", "2026-11-19,120,1.50,BRL", "2026-11-18,120,1.50,BRL", head=head)
    report = cli.json("spend", "import", str(file), "--account", "shop", "--yes", code=1)
    assert verdicts(report) == ["spend_currency_differs", "other_level", "day_from_meta"]


def test_a_figure_by_hand_is_added_and_replaced(cli):
    add_account(cli)
    where = ("spend", "add", "--account", "shop", "--day", "2026-11-19", "--ad", "120")
    assert "Added" in cli(*where, "5.00", "BRL").output
    assert "Replaced" in cli(*where, "6.00", "BRL").output
    assert [str(row["spend"]) for row in cli.rows("select spend from ad_spend_daily")] == ["6.00"]
    cli(*where, "7.00", "USD", code=2)


def test_an_account_is_added_shown_changed_and_removed(cli):
    cli("credentials", "add", "ads", "--token-file", "-", stdin="EAAtoken0123456789")
    cli("accounts", "add", "shop", "--meta-id", "act_4001", "--credential", "ads")
    shown = cli.json("accounts", "show", "shop")
    assert (shown["meta_id"], shown["credential"], shown["error"]) == ("4001", "ads", None)
    cli.execute("update ad_accounts set last_error = 'ads_read_missing', last_error_at = now()")
    assert "ads_read" in cli("accounts", "show", "shop").output
    cli("accounts", "set", "shop", "--off")
    cli("spend", "sync", "--account", "shop", code=2)
    cli("accounts", "remove", "shop", "--yes")
    assert cli.json("accounts", "list") == []
    actions = [row["action"] for row in cli.rows("select action from audit_log order by id")]
    assert actions[-3:] == ["ad_account.add", "ad_account.set", "ad_account.remove"]


def test_what_an_account_cannot_be_is_refused(cli):
    add_account(cli)
    for wrong in (("shop",), ("b", "--zone", "Mars/Base"), ("b", "--meta-id", "x"), ("b", "--workspace", "nobody"),
                  ("b", "--currency", "reais"), ("b", "--credential", "none")):  # fmt: skip
        cli("accounts", "add", *wrong, code=2)


def test_a_pull_that_no_worker_takes_is_told(cli):
    cli("credentials", "add", "ads", "--token-file", "-", stdin="EAAtoken0123456789")
    cli("accounts", "add", "shop", "--meta-id", "4001", "--credential", "ads")
    (report,) = cli.json("spend", "sync", "--wait", "0", "--since", "2026-01-01", code=1)
    assert report == {"account": "shop", "done": False, "rows": 0, "error": "still_pulling"}
    assert str(cli.rows("select wanted_since from ad_accounts")[0]["wanted_since"]) == "2026-01-01"
