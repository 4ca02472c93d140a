"""Reading across the tables: what became of every message. Nothing here writes."""

from typing import Any

import psycopg


def states_of_dataset(conn: psycopg.Connection[Any], dataset_id: int) -> dict[str, int]:
    """How many deliveries of a dataset are in each state, test rows included."""
    rows = conn.execute(
        "select state, count(*) from deliveries where dataset_id = %s group by state order by state",
        [dataset_id],
    ).fetchall()
    return {state: int(count) for state, count in rows}
