"""`ctwa parse`: what a provider's adapter reads in a body. Needs no settings, database or network."""

import json
import sys
from pathlib import Path

import click

from console.cli.render import print_json
from shared.providers import PROVIDERS
from shared.providers.base import Request, UnparsableError


@click.command()
@click.option("--provider", required=True, metavar="NAME", help="Whose webhook it is; docs/providers/ names them.")
@click.option(
    "--header", "headers", multiple=True, metavar="'K: V'", help="A header of the request; may be given again."
)
@click.option("--method", default="POST", show_default=True, help="The request's method.")
@click.option("--path", default="", help="What follows the channel's key in the URL, such as messages/post.")
@click.option("--query", default="", help="The query string, without its question mark.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
def parse(provider: str, headers: tuple[str, ...], method: str, path: str, query: str, file: Path) -> None:
    """Print what an adapter reads in a body.

    FILE is the body of a webhook; - is standard input.

    Whether the body is JSON or a form is told by its bytes. Nothing is stored or sent.

    JSON: {messages: […], automatic_events: […], ignored: [{reason, count}]}; docs/adding-a-provider.md says what each
    field means. A body that can't be read gives exit code 2 and {error: {reason, words}} on standard error.
    """
    if provider not in PROVIDERS:
        raise click.UsageError(f"No provider is called {provider!r}. There are: {', '.join(sorted(PROVIDERS))}.")
    request = Request(
        method=method.upper(),
        path=path.strip("/"),
        query=query.removeprefix("?"),
        headers=dict(_header(header) for header in headers),
        body=_read(file),
    )
    try:
        parsed = PROVIDERS[provider].parse(request)
    except UnparsableError as error:
        click.echo(json.dumps({"error": {"reason": error.reason, "words": str(error)}}), err=True)
        sys.exit(2)
    print_json(parsed.as_json())


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not (name.strip() and colon):
        raise click.UsageError("A header is given as 'Name: value'.")
    return name.strip().lower(), value.strip()


def _read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file} can't be read: {error.strerror}.") from error
