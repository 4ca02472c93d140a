"""`ctwa touchpoints`: the clicks of another system, taken over."""

from pathlib import Path
from typing import Any

import click

from console.cli.context import Session, session
from console.cli.imports import import_options, reading_of, run_import


@click.group()
def touchpoints() -> None:
    """Past ad clicks, from the time before this service."""


@touchpoints.command("import")
@import_options
@session
def import_(
    session: Session, /, file: Path, zone: str, time_format: str | None, channel: str | None, **how: Any
) -> None:
    """Take over past ad clicks from a CSV FILE of another CRM.

    They keep their times, are never sent to Meta, and later sales can belong to them. Needed columns: who it was
    (phone, email or bsuid), the time, and the record's id there (external_id): by it, importing again changes nothing.
    docs/conversions.md lists all columns and the names they may have.

    Exit code 1: some rows are bad; they are in FILE.bad.csv with the reason.

    JSON: as `ctwa conversions import --json`.
    """
    run_import(session, "touchpoints", file, reading_of(zone, time_format, channel), **how)
