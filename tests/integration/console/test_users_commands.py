"""`ctwa users`: people of the console, by the command line."""

PASSWORD = "four unrelated words\n"


def test_users_are_added_listed_and_given_roles(cli):
    cli("users", "create", "Ana@Example.com", "--name", "Ana", "--password-file", "-", stdin=PASSWORD)
    assert "viewer, operator or owner" in cli(
        "users", "create", "b@example.com", "--workspace", "default", "--password-file", "-", stdin=PASSWORD, code=2
    ).stderr  # fmt: skip
    cli(
        "users", "create", "b@example.com", "--workspace", "default", "--role", "viewer", "--password-file", "-",
        stdin=PASSWORD,
    )  # fmt: skip
    cli("users", "role", "b@example.com", "--workspace", "default", "--role", "operator")
    assert cli.json("users", "list") == [
        {
            "email": "ana@example.com", "name": "Ana", "owner_everywhere": True, "workspaces": {"default": "owner"},
            "second_factor": False, "disabled": False, "last_login_at": None,
        },
        {
            "email": "b@example.com", "name": "", "owner_everywhere": False, "workspaces": {"default": "operator"},
            "second_factor": False, "disabled": False, "last_login_at": None,
        },
    ]  # fmt: skip
    assert "four unrelated words" not in str(cli.rows("select * from users"))
    assert cli.rows("select action, subject from audit_log order by id") == [
        {"action": "user created", "subject": "user:1"},
        {"action": "user created", "subject": "user:2"},
        {"action": "role changed", "subject": "user:2"},
    ]


def test_a_weak_password_or_a_known_address_adds_nobody(cli):
    for password in ("short", "password password", "aaaaaaaaaaaaaaaa", "ana@example.com1"):
        cli("users", "create", "ana@example.com", "--password-file", "-", stdin=password, code=2)
    cli("users", "create", "ana@example.com", "--password-file", "-", stdin=PASSWORD)
    refused = cli("users", "create", "ANA@example.com", "--password-file", "-", stdin=PASSWORD, code=2)
    assert "There is a user of this address already." in refused.stderr
    assert len(cli.json("users", "list")) == 1


def test_the_last_owner_stays(cli):
    cli("users", "create", "ana@example.com", "--password-file", "-", stdin=PASSWORD)
    assert "last owner" in cli("users", "disable", "ana@example.com", code=2).stderr
    assert (
        "last owner"
        in cli("users", "role", "ana@example.com", "--workspace", "default", "--role", "viewer", code=2).stderr
    )
    cli("users", "create", "b@example.com", "--password-file", "-", stdin=PASSWORD)
    cli("users", "disable", "ana@example.com")
    assert [row["disabled"] for row in cli.json("users", "list")] == [True, False]
    assert "last owner" in cli("users", "disable", "b@example.com", code=2).stderr
    cli("users", "enable", "ana@example.com")


def test_links_are_printed_once_and_kept_as_hashes(cli):
    cli("users", "create", "ana@example.com", "--password-file", "-", stdin=PASSWORD)
    console = {"CONSOLE_URL": "https://console.example.com"}
    for command in (("invite", "new@example.com"), ("reset", "ana@example.com")):
        printed = cli("users", *command, **console).stdout.strip()
        assert printed.startswith("https://console.example.com/link/")
        assert printed.rpartition("/")[2] not in str(cli.rows("select * from one_time_links"))
    assert "CONSOLE_URL" in cli("users", "invite", "new@example.com", code=2).stderr
    assert "There is no user of this address" in cli("users", "reset", "who@example.com", code=2, **console).stderr
