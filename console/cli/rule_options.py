"""The options that say what a rule is, and what they say in RuleSchema's words."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from console.errors import InvalidError
from console.rules import DEFAULT_WORKSPACE
from console.setup.document import read_file
from shared.capi.event_names import META_NAMES
from shared.db.rules import RuleRow
from shared.domain.amounts import Decimals
from shared.domain.rules import Scope, Trigger

_Command = Callable[..., Any]
#: The option's name -> where its value stands in a definition.
_WHEN = {"on": "on", "keyword": "keywords", "pattern": "pattern", "is_": "is", "by": "by", "number": "number"}
_THEN = {
    "event": "event", "stage": "stage", "add_tag": "add_tags", "remove_tag": "remove_tags",
    "currency": "currency", "delay": "delay", "once": "once", "order_pattern": "order_pattern",
    "confirm_purchase": "confirm_purchase",
}  # fmt: skip
_FIELDS = (
    click.option("--file", type=click.Path(path_type=Path), help="Read when and then from this YAML or JSON file."),
    click.option("--on", type=click.Choice([one.value for one in Trigger]), help="What the rule looks at."),
    click.option("--keyword", multiple=True, metavar="WORD", help="In the text, as a word of its own; any of several."),
    click.option("--pattern", metavar="RE2", help="Instead of keywords: a regular expression, RE2's."),
    click.option(
        "--is", "is_", multiple=True, metavar="NAME", help="The stage, tag, template or event; any of several."
    ),
    click.option("--by", type=click.Choice(["any", "human", "automation"]), help="Who of the business wrote."),
    click.option("--number", type=int, metavar="N", help="Which message of the person, from the ad message on."),
    click.option("--event", type=click.Choice(sorted(META_NAMES)), help="The conversion that it makes."),
    click.option("--stage", metavar="NAME", help="The stage that the contact comes to."),
    click.option("--add-tag", multiple=True, metavar="NAME", help="A tag put on the contact; several may be."),
    click.option("--remove-tag", multiple=True, metavar="NAME", help="A tag taken off the contact."),
    click.option("--value", metavar="AMOUNT", help="Its value, always the same."),
    click.option("--value-pattern", metavar="RE2", help="Its value: what the first group finds in the text."),
    click.option("--value-order", is_flag=True, help="Its value: that of the order message."),
    click.option("--decimals", type=click.Choice([one.value for one in Decimals]), help="The sign before the cents."),
    click.option("--currency", metavar="CODE", help="Of the value.  [default: the order's, else the channel's]"),
    click.option("--delay", metavar="TIME", help="Wait so long before it is sent, such as 30min."),
    click.option("--once", type=click.Choice([one.value for one in Scope]), help="At most one for each."),
    click.option("--order-pattern", metavar="RE2", help="The order's number in the text, for --once order."),
    click.option("--confirm-purchase", is_flag=True, default=None, help="Yes: report sales on words alone."),
    click.option("--channel", metavar="NAME", help="Only in this channel.  [default: all of the workspace]"),
)
workspace = click.option(
    "--workspace", default=DEFAULT_WORKSPACE, show_default=True, metavar="NAME", help="Its workspace."
)


def rule_fields(command: _Command) -> _Command:
    """Adds every option that says something of a rule."""
    for option in reversed(_FIELDS):
        command = option(command)
    return command


def said_of(given: Mapping[str, Any], rule: RuleRow | None) -> dict[str, Any]:
    """What the options say, in RuleSchema's words; merged into what the rule says, where there is one."""
    said: dict[str, Any] = {}
    if given["channel"] is not None:
        said["channel"] = given["channel"] or None
    if given["file"]:
        said |= definition_of(given["file"])
        return said
    when = {place: _listed(given[name]) for name, place in _WHEN.items() if given[name] not in (None, ())}
    then = {place: _listed(given[name]) for name, place in _THEN.items() if given[name] not in (None, ())}
    if value := _value(given):
        then["value"] = value
    if rule is not None:
        when = when if "on" in when else {**rule.definition["when"], **when} if when else {}
        then = {**rule.definition["then"], **then} if then else {}
    elif "on" not in when or not then:
        raise InvalidError(
            "Say --on, and what follows: --event, --stage, --add-tag or --remove-tag; or give a --file with both."
        )
    return said | ({"when": when} if when else {}) | ({"then": then} if then else {})


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _value(given: Mapping[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    if given["value"] is not None:
        value["fixed"] = given["value"]
    if given["value_pattern"] is not None:
        value["pattern"] = given["value_pattern"]
    if given["value_order"]:
        value["order"] = True
    if given["decimals"] is not None:
        value["decimals"] = given["decimals"]
    return value


def definition_of(path: Path) -> dict[str, Any]:
    """The when and then of a file. Raises InvalidError."""
    document = read_file(path)
    if not isinstance(document, Mapping) or not {"when", "then"} <= document.keys() <= {"when", "then"}:
        raise InvalidError(f"{path} must be a mapping with when and then, and nothing else.")
    return dict(document)
