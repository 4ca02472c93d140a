"""`ctwa send-sample`: try a channel without waiting for a customer."""

import sys
from pathlib import Path

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import plain, print_json
from console.errors import InvalidError, UnavailableError
from console.samples import Sent, best_sample, make_samples, post_sample, refuse_real_leads, signed_headers
from console.setup.channels import channel_named, test_channel_of, webhook_url
from shared.db.channels import Channel
from shared.providers.samples import list_samples


@click.command("send-sample")
@click.option("--channel", "name", metavar="NAME", help="The channel to post to (name or URL key).")
@click.option("--provider", metavar="NAME", help="Instead of --channel: the test channel of this provider.")
@click.option(
    "--case",
    metavar="CASE",
    help="Which sample, as --list names them.  [default: ad, or the nearest to it that the provider has]",
)
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Post this file, as it is.")
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many, each a new message."
)
@click.option("--click-id", metavar="ID", help="Click id to put in; a second message with it makes no second lead.")
@click.option("--phone", metavar="DIGITS", help="Who writes.  [default: the sample's, or made-up people]")
@click.option("--url", metavar="BASE", help="The receiver's address.  [default: the local stack's, or PUBLIC_URL]")
@click.option("--live", is_flag=True, help="Go on although the sample would be sent to Meta as a real lead.")
@click.option("--list", "list_cases", is_flag=True, help="Name the samples of this channel's provider.")
@options.as_json
@session
def send_sample(
    session: Session,
    /,
    name: str | None,
    provider: str | None,
    case: str | None,
    file: Path | None,
    count: int,
    click_id: str | None,
    phone: str | None,
    url: str | None,
    live: bool,
    list_cases: bool,
    as_json: bool,
) -> None:
    """Post a signed sample webhook.

    It goes to a running receiver, signed as the channel's provider signs.

    Exit code 1 unless every one was answered with 200. JSON: {url, sent: [{status, answer, milliseconds, problem}]};
    with --list a list of names.
    """
    if file and (case or click_id or phone):
        raise InvalidError("--file is posted as it is; --case, --click-id and --phone don't go with it.")
    if (name is None) == (provider is None):
        raise InvalidError("Where to? Give --channel, or --provider for the test channel of a provider.")
    settings = session.settings("SECRET_KEYS")
    ring = session.secret_ring()
    with session.database() as conn:
        channel = channel_named(conn, name) if name else test_channel_of(conn, str(provider))
        if not (live or list_cases):
            refuse_real_leads(conn, channel, graph_url=settings.graph_url)
    if list_cases:
        names = list_samples(channel.provider)
        print_json(names) if as_json else click.echo("\n".join(names))
        return
    base = _base(session, url)
    target = webhook_url(base, channel.key)
    # Some providers sign the URL, and the receiver takes the one it is known by for the one that was called.
    signed_url = webhook_url(settings.public_url or base, channel.key)
    bodies = (
        [file.read_bytes()] * count
        if file
        else make_samples(
            channel.provider, case or best_sample(channel.provider), count=count, click_id=click_id, phone=phone
        )
    )
    sent = [post_sample(target, body, signed_headers(ring, channel, signed_url, body)) for body in bodies]
    _report(channel, target, sent, as_json=as_json)


def _base(session: Session, url: str | None) -> str:
    settings = session.settings()
    base = url or (session.stack.addresses.get("receiver") if session.stack else None) or settings.public_url
    if not base:
        raise InvalidError("Where is the receiver? Give --url, or set PUBLIC_URL.")
    return base.rstrip("/")


def _report(channel: Channel, url: str, sent: list[Sent], *, as_json: bool) -> None:
    good = [one for one in sent if one.status == 200]
    if as_json:
        print_json({"url": url, "sent": [one.__dict__ for one in sent]})
    else:
        click.echo(f"posted to {url}")
        for one in sent[:20]:
            what = f"HTTP {one.status}" if one.status else f"no answer ({one.problem})"
            click.echo(f"  {what} in {one.milliseconds} ms{f': {plain(one.answer)}' if one.answer else ''}")
        if len(sent) > 20:
            click.echo(f"  … and {len(sent) - 20} more; answered with 200: {len(good)} of {len(sent)}")
        if good:
            click.echo(f"Next: ctwa deliveries --channel {channel.name!r} --since 10min")
    if any(one.status is None for one in sent):
        raise UnavailableError("The receiver didn't answer. Is it running? --url names its address.")
    if len(good) < len(sent):
        sys.exit(1)
