"""Setting up channels, datasets and credentials from the command line."""

import json
from pathlib import Path

import pytest

from shared.db.channels import open_secrets
from shared.providers import PROVIDERS
from tests.integration.console.commands import PUBLIC_URL, Cli

TOKEN = "EAAcanary0123456789canary"


def add_dataset(cli: Cli, name: str = "main", **options: str) -> None:
    words = {"meta-id": "1200000000000001", "waba-id": "1000000000000001", **options}
    cli("datasets", "add", name, *(part for field, value in words.items() for part in (f"--{field}", value)))


def add_credential(cli: Cli, name: str = "main") -> None:
    cli("credentials", "add", name, "--token-file", "-", stdin=f"{TOKEN}\n")


def add_channel(cli: Cli, name: str = "sales", provider: str = "whapi", *more: str) -> None:
    cli("channels", "add", name, "--provider", provider, *more)


def test_a_credential_is_kept_sealed_and_never_shown(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    added = cli("credentials", "add", "main", "--token-file", str(file))
    listed = cli("credentials", "list")
    assert cli.json("credentials", "list")[0]["name"] == "main"
    assert TOKEN not in added.output + listed.output
    [row] = cli.rows("select token from credentials")
    assert cli.token_ring.open(row["token"]).decode() == TOKEN


@pytest.mark.parametrize("token", ["", "two words of a token", '"quoted but cut', "schön-0123456789", "short"])
def test_a_token_that_cannot_be_one_is_refused_without_being_repeated(cli: Cli, token: str) -> None:
    refused = cli("credentials", "add", "main", "--token-file", "-", stdin=token, code=2)
    assert not token or token not in refused.output
    assert cli.rows("select from credentials") == []


def test_a_name_taken_is_refused_for_each_kind(cli: Cli) -> None:
    add_credential(cli)
    add_dataset(cli)
    add_channel(cli, "sales")
    for command in (
        ("credentials", "add", "main", "--token-file", "-"),
        ("datasets", "add", "main", "--meta-id", "1"),
        ("channels", "add", "sales", "--provider", "whapi"),
    ):
        assert "already" in cli(*command, stdin=TOKEN, code=2).stderr


def test_a_dataset_shows_everything_it_was_given(cli: Cli) -> None:
    add_credential(cli)
    add_dataset(cli, credential="main", sending="dry-run", unknown="Lead=hold", **{"batch-max": "7"})
    shown = cli.json("datasets", "show", "main")
    assert shown == {
        "name": "main",
        "meta_id": "1200000000000001",
        "kind": "whatsapp",
        "profile": "whatsapp",
        "waba_id": "1000000000000001",
        "page_id": None,
        "credential": "main",
        "sending": "dry-run",
        "batch_max": 7,
        "in_flight_max": 2,
        "unknown": {"Lead": "hold"},
        "automatic": "show",
        "regions": "send",
        "restricted_countries": None,
        "send_phone": False,
        "send_email": False,
        "limited_data_use": None,
        "attribution_days": 28,
        "consent": "not_required",
        "allow_zero_value": False,
        "test_event_code": None,
        "test_event_until": None,
        "test": False,
        "test_mode": None,
        "pause": None,
        "probed_at": None,
        "probe_result": None,
        "channels": [],
        "deliveries": {},
    }


def test_an_unusable_dataset_is_refused_with_everything_that_is_wrong(cli: Cli) -> None:
    error = cli("datasets", "add", " ", "--meta-id", "12a", "--waba-id", "x", code=2).stderr
    assert "name:" in error
    assert "meta_id:" in error
    assert "waba_id:" in error


def test_setting_a_dataset_changes_only_what_is_said_and_empty_clears(cli: Cli) -> None:
    add_dataset(cli, **{"page-id": "88"})
    before = cli.json("datasets", "show", "main")
    cli("datasets", "set", "main", "--waba-id", "77", "--page-id", "", "--in-flight-max", "4")
    assert cli.json("datasets", "show", "main") == {**before, "waba_id": "77", "page_id": None, "in_flight_max": 4}
    assert "Nothing to change" in cli("datasets", "set", "main", "--waba-id", "77").output


def test_the_policy_for_what_meta_detected_itself_is_set_and_shown(cli: Cli) -> None:
    add_dataset(cli)
    cli("datasets", "set", "main", "--automatic", "echo")
    assert cli.json("datasets", "show", "main")["automatic"] == "echo"
    assert [row["automatic_policy"] for row in cli.rows("select automatic_policy from datasets")] == ["echo"]


def test_policies_for_unknown_outcomes_are_set_one_by_one_and_taken_back(cli: Cli) -> None:
    def unknown() -> object:
        return cli.json("datasets", "show", "main")["unknown"]

    add_dataset(cli)
    cli("datasets", "set", "main", "--unknown", "Lead=hold", "--unknown", "QualifiedLead=hold")
    assert unknown() == {"Lead": "hold", "QualifiedLead": "hold"}
    assert "held all the same" in cli("datasets", "set", "main", "--unknown", "QualifiedLead=resend").output
    cli("datasets", "set", "main", "--unknown", "Lead=")
    assert unknown() == {"QualifiedLead": "resend"}
    assert "QualifiedLead=resend" in cli("datasets", "show", "main").output


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Purchase=resend", "never sent again by itself"),
        ("Lead=maybe", "unknown.Lead"),
        ("LeadSubmitted=hold", "unknown.LeadSubmitted"),
        ("Lead", "EVENT=hold"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_with_the_reason(cli: Cli, said: str, words: str) -> None:
    add_dataset(cli)
    assert words in cli("datasets", "set", "main", "--unknown", said, code=2).stderr
    assert cli.json("datasets", "show", "main")["unknown"] == {}


def minutes_left(cli: Cli) -> float | None:
    [row] = cli.rows("select extract(epoch from test_event_until - now())::float8 / 60 as left from datasets")
    left: float | None = row["left"]
    return left


def test_a_test_code_ends_by_itself_and_is_shown_loudly_until_then(cli: Cli) -> None:
    add_dataset(cli, **{"test-event-code": "TEST1"})
    assert minutes_left(cli) == pytest.approx(60, abs=2)
    cli("datasets", "set", "main", "--test-event-for", "2h")
    assert minutes_left(cli) == pytest.approx(120, abs=2)
    cli("datasets", "set", "main", "--test-event-code", "TEST1", "--test-event-for", "30min")
    assert minutes_left(cli) == pytest.approx(30, abs=2)
    for args in (("datasets", "list"), ("datasets", "show", "main"), ("status",)):
        output = cli(*args, code=1 if args == ("status",) else 0).output
        assert "TEST MODE" in output, args
        assert "Meta counts" in output, args
    assert cli.json("datasets", "list")[0]["test_mode"]["until"]
    cli.execute("update datasets set test_event_until = now()")
    shown = cli.json("datasets", "show", "main")
    assert (shown["test_mode"], shown["test_event_code"]) == (None, "TEST1")
    assert "TEST MODE" not in cli("status", code=1).output
    cli("datasets", "set", "main", "--test-event-code", "TEST1")
    assert minutes_left(cli) == pytest.approx(60, abs=2)
    cli("datasets", "set", "main", "--test-event-code", "")
    assert minutes_left(cli) is None


def test_a_test_code_lasts_a_day_at_most_and_a_time_alone_means_nothing(cli: Cli) -> None:
    add_dataset(cli)
    assert (
        "24 hours" in cli("datasets", "set", "main", "--test-event-code", "T", "--test-event-for", "25h", code=2).stderr
    )
    assert "CODE" in cli("datasets", "set", "main", "--test-event-for", "1h", code=2).stderr
    cli("datasets", "set", "main", "--test-event-code", "T", "--test-event-for", "soon", code=2)
    assert minutes_left(cli) is None
    cli("datasets", "set", "main", "--test-event-code", "T", "--test-event-for", "24h")
    assert minutes_left(cli) == pytest.approx(1440, abs=2)


@pytest.mark.parametrize(
    ("reason", "change", "resumes"),
    [
        ("link", ("--waba-id", "77"), True),
        ("link", ("--meta-id", "77"), True),
        ("link", ("--profile", "guide"), True),
        ("link", ("--batch-max", "10"), False),
        ("token", ("--credential", "other"), True),
        ("token", ("--waba-id", "77"), False),
        ("permission", ("--credential", "other"), True),
        ("by_hand", ("--waba-id", "77"), False),
        ("throttle", ("--credential", "other"), False),
    ],
)
def test_a_pause_ends_by_the_change_it_waited_for_and_by_no_other(
    cli: Cli, reason: str, change: tuple[str, str], resumes: bool
) -> None:
    add_credential(cli, "other")
    add_dataset(cli)
    cli.execute("update datasets set pause_reason = %s, paused_at = now(), paused_until = '9999-12-31'", reason)
    cli("datasets", "set", "main", *change)
    pause = cli.json("datasets", "show", "main")["pause"]
    assert (pause is None) == resumes


def test_a_new_token_resumes_the_datasets_that_waited_for_one(cli: Cli) -> None:
    add_credential(cli)
    for name, reason in {"a": "token", "b": "by_hand", "c": None}.items():
        add_dataset(cli, name, credential="main")
        if reason:
            cli.execute(
                "update datasets set pause_reason = %s, paused_at = now(), paused_until = '9999-12-31' where name = %s",
                reason,
                name,
            )
    output = cli("credentials", "rotate", "main", "--token-file", "-", stdin=TOKEN + "new").output
    assert "Resumed dataset a" in output
    assert {row["name"]: bool(row["pause"]) for row in cli.json("datasets", "list")} == {
        "a": False,
        "b": True,
        "c": False,
    }
    [row] = cli.rows("select token from credentials")
    assert cli.token_ring.open(row["token"]).decode() == TOKEN + "new"


def test_a_dataset_paused_by_hand_says_so_and_resumes(cli: Cli) -> None:
    add_dataset(cli)
    cli("datasets", "pause", "main", "--why", "audit week")
    pause = cli.json("datasets", "show", "main")["pause"]
    assert (pause["reason"], pause["detail"], pause["until"]) == ("by_hand", "audit week", None)
    assert pause["next_step"]
    assert "paused: by_hand" in cli("datasets", "list").output
    cli("datasets", "resume", "main")
    assert cli.json("datasets", "show", "main")["pause"] is None
    assert "was not paused" in cli("datasets", "resume", "main").output


def test_every_provider_can_be_added_with_what_it_gives_out_and_the_rest_is_made_up(cli: Cli, tmp_path: Path) -> None:
    for name, provider in PROVIDERS.items():
        given = {field.name: f"{field.name}-value" for field in provider.secret_fields if not field.generated}
        options = []
        for field, value in given.items():
            (tmp_path / field).write_text(value)
            options += ["--secret-file", f"{field}={tmp_path / field}"]
        output = cli("channels", "add", f"c {name}", "--provider", name, *options).output
        shown = cli.json("channels", "show", f"c {name}", "--reveal")
        assert shown["webhook_url"] == f"{PUBLIC_URL}/webhooks/{shown['key']}"
        assert shown["webhook_url"] in output
        [secrets] = shown["secrets"]
        for field in provider.secret_fields:
            if field.generated:
                assert len(secrets[field.name]) >= 32
                assert secrets[field.name] in output
            elif field.required:
                assert secrets[field.name] == given[field.name]
                assert given[field.name] not in output


def test_a_channel_without_a_secret_that_is_needed_is_refused_unless_it_says_unsigned(cli: Cli) -> None:
    error = cli("channels", "add", "meta", "--provider", "meta_cloud", code=2).stderr
    assert "secrets.app_secret" in error
    cli("channels", "add", "meta", "--provider", "meta_cloud", "--unsigned")
    assert cli.json("channels", "show", "meta")["unsigned"] is True
    assert "UNSIGNED" in cli("channels", "list").output


def test_secrets_are_shown_only_on_demand_and_whoever_asked_is_written_down(cli: Cli) -> None:
    add_channel(cli)
    [row] = cli.rows("select secrets from channels")
    [secrets] = open_secrets(cli.secret_ring, row["secrets"])
    for args in (("list",), ("list", "--json"), ("show", "sales"), ("show", "sales", "--json")):
        assert secrets["token"] not in cli("channels", *args).output
    assert cli.rows("select from audit_log where action = 'channel.reveal'") == []
    assert secrets["token"] in cli("channels", "list", "--reveal").output
    [audited] = cli.rows("select * from audit_log where action = 'channel.reveal'")
    assert audited["actor"].startswith("cli:")
    assert audited["subject"] == "channel:sales"


def test_a_rotation_keeps_the_previous_secret_until_it_is_finished(cli: Cli) -> None:
    add_channel(cli)
    [before] = cli.json("channels", "show", "sales", "--reveal")["secrets"]
    cli("channels", "rotate", "sales")
    now, previous = cli.json("channels", "show", "sales", "--reveal")["secrets"]
    assert previous == before
    assert now["token"] != before["token"]
    assert "--finish" in cli("channels", "rotate", "sales", code=2).stderr
    cli("channels", "rotate", "sales", "--finish")
    assert cli.json("channels", "show", "sales", "--reveal")["secrets"] == [now]
    cli("channels", "rotate", "sales", "--finish", code=2)


def test_rotating_a_secret_that_the_provider_gives_out_keeps_the_others(cli: Cli) -> None:
    cli("channels", "add", "meta", "--provider", "meta_cloud", "--secret-env", "app_secret=A", A="one")
    [before] = cli.json("channels", "show", "meta", "--reveal")["secrets"]
    cli("channels", "rotate", "meta", "--secret-env", "app_secret=B", B="two")
    now, previous = cli.json("channels", "show", "meta", "--reveal")["secrets"]
    assert previous == before
    assert now == {**before, "app_secret": "two"}


def test_a_channel_keeps_its_url_and_secrets_through_every_other_change(cli: Cli) -> None:
    add_dataset(cli)
    add_channel(cli)
    before = cli.json("channels", "show", "sales", "--reveal")
    cli("channels", "set", "sales", "--name", "Vendas São Paulo", "--dataset", "main", "--currency", "brl")
    cli("channels", "disable", before["key"])
    after = cli.json("channels", "show", before["key"], "--reveal")
    assert after == {**before, "name": "Vendas São Paulo", "dataset": "main", "currency": "BRL", "enabled": False}
    cli("channels", "enable", "Vendas São Paulo")
    assert cli.json("channels", "show", before["key"])["enabled"] is True


def test_every_change_is_audited_with_who_did_it_and_without_a_secret(cli: Cli) -> None:
    add_credential(cli)
    add_dataset(cli, credential="main")
    cli("channels", "add", "meta", "--provider", "meta_cloud", "--secret-env", "app_secret=A", A="hidden-secret")
    cli("channels", "set", "meta", "--secret-env", "app_secret=A", A="hidden-too")
    cli("channels", "rotate", "meta", "--secret-env", "app_secret=A", A="hidden-three")
    cli("channels", "rotate", "meta", "--finish")
    cli("channels", "disable", "meta")
    cli("datasets", "set", "main", "--sending", "off")
    cli("datasets", "pause", "main")
    cli("datasets", "resume", "main")
    cli("credentials", "rotate", "main", "--token-file", "-", stdin=TOKEN)
    log = cli.rows("select actor, action, subject, detail from audit_log order by id")
    assert [line["action"] for line in log] == [
        "credential.add",
        "dataset.add",
        "channel.add",
        "channel.change",
        "channel.rotate",
        "channel.rotate.finish",
        "channel.change",
        "dataset.change",
        "dataset.pause",
        "dataset.resume",
        "credential.rotate",
    ]
    assert {line["actor"].split(":")[0] for line in log} == {"cli"}
    text = json.dumps(log)
    assert TOKEN not in text
    assert "hidden" not in text


def test_something_unknown_is_named_with_where_to_look(cli: Cli) -> None:
    assert "datasets list" in cli("datasets", "show", "nope", code=2).stderr
    assert "credentials list" in cli("datasets", "add", "d", "--meta-id", "1", "--credential", "nope", code=2).stderr
    assert "channels list" in cli("channels", "show", "nope", code=2).stderr
    assert "datasets list" in cli("channels", "add", "c", "--provider", "whapi", "--dataset", "nope", code=2).stderr


def test_without_a_database_or_keys_a_command_says_what_to_set(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "DATABASE_URL" in cli("datasets", "list", code=2, DATABASE_URL="").stderr
    assert (
        "TOKEN_KEYS" in cli("credentials", "add", "a", "--token-file", "-", stdin=TOKEN, code=2, TOKEN_KEYS="").stderr
    )
    assert "SECRET_KEYS" in cli("channels", "add", "a", "--provider", "whapi", code=2, SECRET_KEYS="x").stderr


@pytest.mark.parametrize(
    ("url", "words", "code"),
    [
        ("postgresql://ctwa_console:canary@127.0.0.1:1/x", "can't be reached", 1),
        ("postgresql://u:canary@canary@127.0.0.1:1/x", "can't be reached", 1),
        ("canary canary", "must look like postgresql://", 2),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_that_repeats_nothing_of_its_url(
    cli: Cli, url: str, words: str, code: int
) -> None:
    error = cli("datasets", "list", code=code, DATABASE_URL=url).stderr
    assert words in error
    assert "canary" not in error


def test_a_wrong_password_is_told_from_a_server_that_is_away(cli: Cli) -> None:
    error = cli("datasets", "list", code=1, DATABASE_URL=cli.environ["DATABASE_URL"].replace("console-password", "x"))
    assert "refuses the user or password" in error.stderr


def test_what_a_dataset_may_send_of_people_is_set_and_shown(cli):
    cli("datasets", "add", "main", "--meta-id", "1")
    cli("datasets", "set", "main", "--regions", "skip", "--restricted-countries", "de, FR", "--send-phone",
        "--limited-data-use", "1:1000")  # fmt: skip
    shown = cli.json("datasets", "show", "main")
    assert (shown["regions"], shown["restricted_countries"], shown["send_phone"]) == ("skip", ["DE", "FR"], True)
    assert shown["limited_data_use"] == {"country": 1, "state": 1000}
    cli("datasets", "set", "main", "--restricted-countries", "", "--limited-data-use", "", "--no-send-phone")
    shown = cli.json("datasets", "show", "main")
    assert (shown["restricted_countries"], shown["limited_data_use"], shown["send_phone"]) == (None, None, False)


def test_how_a_dataset_takes_sales_is_set_and_shown(cli):
    cli("datasets", "add", "main", "--meta-id", "1")
    cli("datasets", "set", "main", "--attribution-days", "7", "--consent", "required", "--allow-zero-value")
    shown = cli.json("datasets", "show", "main")
    assert (shown["attribution_days"], shown["consent"], shown["allow_zero_value"]) == (7, "required", True)


@pytest.mark.parametrize("wrong", ["1", "a:b", "1:5", "0:1000", "7:0"])
def test_codes_that_limited_data_use_does_not_have_are_refused(cli, wrong):
    cli("datasets", "add", "main", "--meta-id", "1")
    assert "imited" in cli("datasets", "set", "main", "--limited-data-use", wrong, code=2).output


def test_a_channels_margin_is_a_whole_percentage_that_can_be_taken_back(cli):
    cli("channels", "add", "shop", "--provider", "whapi", "--margin", "38")
    assert cli.json("channels", "list")[0]["margin"] == 38
    assert "from 0 to 100" in cli("channels", "set", "shop", "--margin", "101", code=2).output
    cli("channels", "set", "shop", "--margin", "")
    assert cli.json("channels", "list")[0]["margin"] is None
