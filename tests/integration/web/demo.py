"""The made-up business in the database of a test: the console's pages need something to show."""

from datetime import UTC, datetime

import psycopg

from console.demo_data.fill import fill

WORKSPACE = "demo"


def fill_demo(site, *, days: int = 10, scale: float = 0.02) -> None:
    """Makes the business up; the same one each time, but for the present moment."""
    with psycopg.connect(site.owner_url) as conn:
        fill(
            conn, days=days, scale=scale, seed=1, now=datetime.now(UTC), secret_ring=site.runtime.ring,
            hash_ring=site.runtime.hash_ring, actor="test",
        )  # fmt: skip
