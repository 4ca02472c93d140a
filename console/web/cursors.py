"""Places in long lists, as they stand in addresses: the time and the id of the last row that was shown."""

import re
from datetime import datetime


def cursor_of(time: datetime, row_id: object) -> str:
    """The place after this row."""
    return f"{time.isoformat()}_{row_id}"


def split_cursor(text: str) -> tuple[datetime, str] | None:
    """The time and the id of a place; None for what is none, which shows the list from its beginning."""
    moment, _, row_id = text.partition("_")
    try:
        time = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (time, row_id) if row_id and time.tzinfo else None


def split_numbered(text: str) -> tuple[datetime, int] | None:
    """A place in a list whose rows have numbers."""
    place = split_cursor(text)
    number = row_number(place[1]) if place else None
    return (place[0], number) if place and number is not None else None


def row_number(text: str) -> int | None:
    """The number of a row, as addresses have it; None for what no row can have."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None
