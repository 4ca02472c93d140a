"""Contacts: finding one by a name, which never stands in a URL, and where they came from."""

from typing import Any

import psycopg
from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, ValidationError, fields, validates_schema

from console.api.caller import caller
from console.api.conversions import with_deliveries
from console.api.paging import TimedQuery, page, slice_of
from console.api.schemas.contacts import ContactSchema, TouchSchema
from console.api.schemas.parts import page_of
from console.contacts import Person, Rings, person_by_id, search_people, summary
from console.errors import NotFoundError
from console.web.runtime import database, runtime
from shared.db.reports import ConversionFilter, Slice, list_conversions, list_touches
from shared.db.touchpoints import first_touch
from shared.domain.submission_fields import Email, Phone, Text

contacts = Blueprint("contacts", __name__, description="People, with the ads that brought them.")
_NEWEST = 50


class SearchSchema(Schema):
    """One name of a person."""

    class Meta:
        unknown = RAISE

    phone = Phone(metadata={"examples": ["+15550100123"]})
    email = Email(metadata={"examples": ["jane@example.com"]})
    bsuid = Text(longest=200)

    @validates_schema
    def has_one_name(self, data: dict[str, Any], **kwargs: Any) -> None:
        if len(data) != 1:
            raise ValidationError("Give one of phone, email and bsuid.")


class TouchQuery(TimedQuery):
    """Which touchpoints."""

    contact_id = fields.Integer()
    ad_id = fields.String()


@contacts.post("/contacts/search")
@contacts.arguments(SearchSchema, examples={"phone": {"value": {"phone": "+15550100123"}}})
@contacts.response(200, ContactSchema)
def search(names: dict[str, str]) -> dict[str, Any]:
    """Find a contact by a name, and tell which ad brought them and what they did."""
    [(kind, value)] = names.items()
    with database() as conn:
        found = search_people(conn, rings().hashes, kind, value, workspace=caller().workspace)
        if not found:
            raise NotFoundError("Nobody of this workspace has this name.")
        return _contact(conn, found[0])


@contacts.get("/contacts/<int:contact_id>")
@contacts.response(200, ContactSchema)
def show(contact_id: int) -> dict[str, Any]:
    """Tell which ad brought a contact, and what they did."""
    with database() as conn:
        person = person_by_id(conn, contact_id) if contact_id < 2**63 else None
        if person is None or person.workspace != caller().workspace:
            raise NotFoundError(f"There is no contact {contact_id}.")
        return _contact(conn, person)


@contacts.get("/touchpoints")
@contacts.arguments(TouchQuery, location="query", unknown=None)
@contacts.response(200, page_of(TouchSchema, "TouchpointPage"))
def touchpoints(query: dict[str, Any]) -> Response | dict[str, Any]:
    """List touchpoints."""
    with database() as conn:
        rows = list_touches(
            conn,
            caller().workspace,
            slice_of(query, int),
            contact_ids=[query["contact_id"]] if "contact_id" in query else (),
            ad_id=query.get("ad_id"),
            since=query.get("since"),
            until=query.get("until"),
        )
    return page(query, rows, lambda row: (row.occurred_at, row.id), TouchSchema())


def _contact(conn: psycopg.Connection[Any], person: Person) -> dict[str, Any]:
    workspace = caller().workspace
    everyone = person.contact_ids
    first = first_touch(conn, person.id)
    touches = list_touches(conn, workspace, Slice(limit=1), contact_ids=everyone)
    earliest = list_touches(conn, workspace, Slice(limit=_NEWEST, ascending=True), contact_ids=everyone)
    done = list_conversions(conn, workspace, ConversionFilter(contact_ids=everyone), Slice(limit=_NEWEST))
    return {
        **summary(conn, rings(), person),
        "url": f"{runtime().settings.console_url}/api/v1/contacts/{person.id}",
        "first_touch": next((one for one in earliest if first and one.id == first.touchpoint_id), None),
        "last_touch": touches[0] if touches else None,
        "conversions": with_deliveries(conn, done),
    }


def rings() -> Rings:
    """The rings that names of people are kept under. Raises UnavailableError where the console has none."""
    return Rings(runtime().ring, runtime().hash_ring)
