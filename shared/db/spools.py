"""The `spools` table: what each receiver's host last said of the acknowledged webhooks on its disk."""

from typing import Any

import psycopg


def report_spool(conn: psycopg.Connection[Any], host: str, *, bytes_: int, set_aside: int) -> None:
    """Says how many bytes wait on a host, and how many files were set aside. The receiver's role may do only this."""
    conn.execute("select report_spool(%s, %s, %s)", [host, bytes_, set_aside])
