"""`ctwa datasets`: where Meta takes events, and whether we may send there."""

from collections.abc import Callable, Mapping
from typing import Any

import click
import psycopg

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import plain, print_fields, print_json, print_table
from console.setup.datasets import (
    TEST_MODE_USUALLY,
    add_dataset,
    change_dataset,
    database_now,
    dataset_named,
    described,
    explained_pause,
    pause,
    resume,
    test_mode_of,
)
from shared.db.channels import all_channels
from shared.db.datasets import Dataset, all_datasets
from shared.db.results import states_of_dataset
from shared.queue import Work

_Command = Callable[..., Any]
_FIELDS = (
    click.option("--meta-id", metavar="ID", help="The dataset's id at Meta, from Events Manager; digits."),
    click.option(
        "--waba-id", metavar="ID", help="Id of the WhatsApp Business Account; Meta wants it with every event."
    ),
    click.option("--page-id", metavar="ID", help="Id of the Facebook Page, for a dataset of kind page."),
    click.option("--credential", metavar="NAME", help="The Meta token to send with."),
    click.option("--kind", type=click.Choice(["whatsapp", "page"]), help="What the dataset belongs to."),
    click.option(
        "--profile",
        type=click.Choice(["whatsapp", "guide"]),
        help="What an event looks like: whatsapp is Meta's contract of today, guide the older recipe.",
    ),
    click.option(
        "--sending",
        type=click.Choice(["on", "off", "dry-run"]),
        help="off skips what waits; dry-run builds and checks every event and sends none.",
    ),
    click.option("--batch-max", type=click.IntRange(1, 1000), help="Most events in one request."),
    click.option("--in-flight-max", type=click.IntRange(1, 16), help="Most requests at the same time."),
    click.option(
        "--unknown",
        "unknown",
        multiple=True,
        metavar="EVENT=resend|hold",
        help="What becomes of an EVENT whose outcome is unknown; one with a value is held. EVENT= takes it back.",
    ),
    click.option(
        "--automatic",
        type=click.Choice(["show", "instead", "echo", "ignore"]),
        help="Conversions that Meta detected itself: show keeps them and sends nothing, instead also holds our own "
        "event back, echo reports them as Meta's own, ignore keeps nothing.",
    ),
    click.option(
        "--test-event-code",
        metavar="CODE",
        help="Shows events in Events Manager's test tab. Meta counts them all the same, so it ends by itself.",
    ),
    click.option(
        "--test-event-for", type=options.Duration(), help="How long the test code lasts, at most 24h.  [default: 1h]"
    ),
    click.option(
        "--regions",
        type=click.Choice(["send", "skip"]),
        help="Events about people in the EU, EEA, UK and Japan, where Meta restricts messaging events: skip holds them "
        "back. The country is the phone number's.",
    ),
    click.option(
        "--restricted-countries",
        metavar="CC,CC",
        help='The countries that --regions skip holds back instead, such as DE,FR. "" goes back to the usual list.',
    ),
    click.option(
        "--send-phone/--no-send-phone",
        default=None,
        help="Also give Meta the SHA-256 of the phone number. Off: it gets the click id and the account's id only.",
    ),
    click.option("--send-email/--no-send-email", default=None, help="The same for the e-mail address, where known."),
    click.option(
        "--limited-data-use",
        metavar="COUNTRY:STATE",
        help="Ask Meta for Limited Data Use with these codes of its own, such as 1:1000 for California; 0:0 lets Meta "
        'find out. "" ends it.',
    ),
    click.option(
        "--attribution-days",
        type=click.IntRange(1, 365),
        help="A sale belongs to the last ad click at most so many days before it.  [default: 28]",
    ),
    click.option(
        "--consent",
        type=click.Choice(["not_required", "required"]),
        help="required: only events of people who agreed are sent. Of those who withdrew, nothing is sent either way.",
    ),
    click.option(
        "--allow-zero-value/--no-allow-zero-value", default=None, help="Take purchases that are worth nothing."
    ),
    click.option("--test/--no-test", default=None, help="A test dataset is left out of every total."),
)


def _fields(command: _Command) -> _Command:
    for option in reversed(_FIELDS):
        command = option(command)
    return command


_NESTED = ("pause", "test_mode", "channels", "deliveries")


@click.group()
def datasets() -> None:
    """Meta datasets, and whether events may be sent there."""


@datasets.command()
@click.argument("name")
@_fields
@session
def add(session: Session, /, name: str, **fields: Any) -> None:
    """Add the dataset NAME. --meta-id is needed; --waba-id and --credential before anything can be sent."""
    with session.database() as conn:
        add_dataset(conn, {"name": name, **_said(conn, fields, {})}, actor=session.actor)
    click.echo(f"Added dataset {name}. Give it to a channel: ctwa channels add CHANNEL --dataset {name} …")


@datasets.command("set")
@click.argument("name")
@click.option("--name", "new_name", metavar="NEW", help="Rename it.")
@_fields
@session
def set_(session: Session, /, name: str, new_name: str | None, **fields: Any) -> None:
    """Change the dataset NAME: only what is said here. An empty value ("") clears a field.

    A change to what links the dataset to its WhatsApp account, or another credential, ends the pause that waited
    for it.
    """
    with session.database() as conn:
        present = dataset_named(conn, name).unknown_policy
        changed = change_dataset(conn, name, _said(conn, {**fields, "name": new_name}, present), actor=session.actor)
    if changed.wakes:
        session.ring(Work.SENDING)
    _echo_changes(name, changed.fields)
    if "resend" in changed.fields.get("unknown", (None, {}))[1].values():
        click.echo("An event with a value is held all the same: Meta would count it twice.")
    if changed.resumed:
        click.echo("Resumed: what waited is sent now.")
    if changed.deliveries:
        click.echo(f"Deliveries moved by it: {changed.deliveries}.")


@datasets.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@session
def list_(session: Session, as_json: bool) -> None:
    """List the datasets.

    JSON: a list of what `ctwa datasets show --json` prints, without channels and deliveries.
    """
    with session.database() as conn:
        rows = [_row(conn, dataset) for dataset in all_datasets(conn)]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("NAME", "META ID", "WABA ID", "CREDENTIAL", "PROFILE", "SENDING", "STATE", "TEST"),
        [
            (
                *(row[field] for field in ("name", "meta_id", "waba_id", "credential", "profile", "sending")),
                _state(row),
                "test" if row["test"] else "",
            )
            for row in rows
        ],
        empty="There are no datasets. Add one: ctwa datasets add NAME --meta-id ID",
    )
    for row in rows:
        _echo_test_mode(row)


@datasets.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@session
def show(session: Session, name: str, as_json: bool) -> None:
    """Show the dataset NAME: its settings, its pause and what to do, its channels, its deliveries.

    JSON: {name, meta_id, kind, profile, waba_id, page_id, credential, sending, batch_max, in_flight_max,
    unknown: {event name: resend|hold}, automatic, regions: send|skip, restricted_countries: null or [code], send_phone,
    send_email, limited_data_use: null or {country, state}, attribution_days, consent: not_required|required,
    allow_zero_value, test_event_code, test_event_until, test,
    test_mode: null or {until, words, next_step},
    pause: null or {reason, words, next_step, detail, since, until}, probed_at, probe_result,
    channels: [name], deliveries: {state: count}}.
    """
    with session.database() as conn:
        dataset = dataset_named(conn, name)
        row = _row(conn, dataset)
        row["channels"] = [channel.name for channel in all_channels(conn) if channel.dataset_id == dataset.id]
        row["deliveries"] = states_of_dataset(conn, dataset.id)
    if as_json:
        print_json(row)
        return
    counts = ", ".join(f"{count} {state}" for state, count in row["deliveries"].items())
    shown = {name: value for name, value in row.items() if name not in _NESTED}
    print_fields({**shown, "channels": ", ".join(row["channels"]), "deliveries": counts, "state": _state(row)})
    _echo_test_mode(row)
    if row["pause"]:
        note = f" Note: {plain(row['pause']['detail'])}" if row["pause"]["reason"] == "by_hand" else ""
        click.echo(f"\n{row['pause']['words']}{note}\nWhat to do: {row['pause']['next_step']}")


@datasets.command("pause")
@click.argument("name")
@click.option("--why", metavar="TEXT", help="A note for whoever looks next.")
@session
def pause_(session: Session, name: str, why: str | None) -> None:
    """Stop sending to the dataset NAME. What comes waits, and expires after 6 days and 12 hours."""
    with session.database() as conn:
        pause(conn, name, detail=why, actor=session.actor)
    click.echo(f"Paused {name}. Go on with: ctwa datasets resume {name}")


@datasets.command("resume")
@click.argument("name")
@session
def resume_(session: Session, name: str) -> None:
    """Let the dataset NAME send again, whatever it was paused for."""
    with session.database() as conn:
        resumed = resume(conn, name, actor=session.actor)
    session.ring(Work.SENDING)
    click.echo(f"Resumed {name}." if resumed else f"{name} was not paused.")


@datasets.command()
@click.argument("name")
@session
def disable(session: Session, name: str) -> None:
    """Switch sending off for the dataset NAME. What waits is skipped for good; `pause` keeps it waiting instead."""
    with session.database() as conn:
        changed = change_dataset(conn, name, {"sending": "off"}, actor=session.actor)
    click.echo(f"Sending is off for {name}; skipped deliveries: {changed.deliveries}.")
    click.echo(f"Back on: ctwa datasets set {name} --sending on")


def _said(conn: psycopg.Connection[Any], fields: Mapping[str, Any], present: Mapping[str, str]) -> dict[str, Any]:
    """What the options say, in DatasetSchema's words; `present` are the policies that stand so far."""
    unknown = fields["unknown"]
    # A code that is said again starts anew.
    lasts = fields["test_event_for"] or (TEST_MODE_USUALLY if fields["test_event_code"] else None)
    said = {
        field: None if value == "" else value
        for field, value in fields.items()
        if value is not None and field not in ("test_event_for", "unknown")
    }
    if countries := said.get("restricted_countries"):
        said["restricted_countries"] = [code.strip() for code in countries.split(",")]
    if data_use := said.get("limited_data_use"):
        said["limited_data_use"] = _data_use(data_use)
    if lasts:
        said["test_event_until"] = database_now(conn) + lasts
    if unknown:
        policies = {**present, **dict(_policy(text) for text in unknown)}
        said["unknown"] = {event: policy for event, policy in policies.items() if policy}
    return said


def _data_use(text: str) -> dict[str, int]:
    country, colon, state = text.partition(":")
    if not colon or not country.isdigit() or not state.isdigit():
        raise click.UsageError("--limited-data-use is given as COUNTRY:STATE in Meta's codes, such as 1:1000 or 0:0.")
    return {"country": int(country), "state": int(state)}


def _policy(text: str) -> tuple[str, str]:
    event, equals, policy = text.partition("=")
    if not equals:
        raise click.UsageError("--unknown is given as EVENT=hold, EVENT=resend, or EVENT= to take it back.")
    return event, policy


def _row(conn: psycopg.Connection[Any], dataset: Dataset) -> dict[str, Any]:
    row = described(conn, dataset)
    row |= {"pause": explained_pause(dataset), "test_mode": test_mode_of(dataset)}
    row |= {"probed_at": dataset.probed_at, "probe_result": dataset.probe_result}
    return row


def _state(row: Mapping[str, Any]) -> str:
    pause = row["pause"]
    until = f" until {plain(pause['until'])}" if pause and pause["until"] else ""
    state = f"paused: {pause['reason']}{until}" if pause else "active"
    return f"{state}, TEST MODE" if row["test_mode"] else state


def _echo_test_mode(row: Mapping[str, Any]) -> None:
    if mode := row["test_mode"]:
        click.echo(f"\n{row['name']} is in {mode['words']} Until {plain(mode['until'])}.\n{mode['next_step']}")


def _echo_changes(name: str, changes: Mapping[str, tuple[Any, Any]]) -> None:
    if not changes:
        click.echo(f"Nothing to change on {name}.")
    for field, (before, after) in changes.items():
        click.echo(f"{name}: {field} {plain(before)} -> {plain(after)}")
