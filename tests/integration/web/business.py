"""The made-up business behind the pages of figures, added up as the sweeper would."""

from datetime import UTC, datetime

import psycopg

from console.demo_data.fill import fill
from shared.crypto import HashRing, KeyRing, generate_key
from shared.db.rollups import add_zone, missing_zones, refresh_all

WORKSPACE = "demo"


def make_up_business(conn: psycopg.Connection) -> None:
    """Fills the workspace `demo`: test rows only, three currencies, two days whose spend was never synced."""
    fill(
        conn, days=20, scale=0.05, seed=1, now=datetime.now(UTC),
        secret_ring=KeyRing([generate_key()], name="SECRET_KEYS"), hash_ring=HashRing([generate_key()]), actor="test",
    )  # fmt: skip
    conn.execute("analyze")
    for workspace, zone in missing_zones(conn):
        add_zone(conn, workspace, zone)
    refresh_all(conn)
