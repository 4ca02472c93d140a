"""Parts of every resource: fields that may be null, money, codes in words, and pages."""

from typing import Any

from marshmallow import Schema, fields

from shared.domain.reasons import explain


def optional_time(words: str | None = None) -> fields.AwareDateTime:
    """A time that may be null."""
    return fields.AwareDateTime(allow_none=True, metadata={"description": words} if words else {})


def optional_text(words: str | None = None, example: str | None = None) -> fields.String:
    """A text that may be null."""
    about = {"description": words} if words else {}
    return fields.String(allow_none=True, metadata=about | ({"examples": [example]} if example else {}))


def money() -> fields.Decimal:
    """An amount as text, so that no program rounds it; its currency stands beside it."""
    return fields.Decimal(as_string=True, allow_none=True, metadata={"type": "string", "examples": ["129.90"]})


class Words(fields.Field[str]):
    """A code in words."""

    def __init__(self, of: str, *, next_step: bool = False) -> None:
        about = "What to do." if next_step else f"The {of} in words."
        super().__init__(dump_only=True, allow_none=True, metadata={"type": "string", "description": about})
        self._of, self._next = of, next_step

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> str | None:
        code = obj.get(self._of) if isinstance(obj, dict) else getattr(obj, self._of)
        if code is None:
            return None
        return explain(code).next_step if self._next else explain(code).words


def page_of(schema: type[Schema], name: str) -> type[Schema]:
    """A page of these: {data, next_cursor}."""
    made: type[Schema] = Schema.from_dict(
        {
            "data": fields.List(fields.Nested(schema)),
            "next_cursor": fields.String(
                allow_none=True, metadata={"description": "For the parameter cursor; null on the last page."}
            ),
        },
        name=name,
    )
    return made
