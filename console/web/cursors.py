"""Places in long lists, as they stand in addresses: the time and the id of the last row that was shown."""

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
