"""What a receiver says of its spool: enough for an alert, and no more often than needed."""

import psycopg
import pytest
from psycopg.rows import dict_row

from receiver import spool_report
from receiver.spool_report import SpoolReport, name_of


@pytest.fixture
def spools(database_url):
    def rows():
        with psycopg.connect(database_url, row_factory=dict_row) as conn:
            return conn.execute("select * from spools").fetchall()

    return rows


def test_what_waits_is_said_when_it_changes_and_the_time_since_when_stays(database_url, tmp_path, spools):
    report = SpoolReport(database_url, tmp_path)
    report.run()
    [row] = spools()
    assert (row["bytes"], row["set_aside"], row["since"]) == (0, 0, None)
    (tmp_path / "1-1.spool").write_bytes(b"12345")
    report.run()
    [row] = spools()
    assert (row["bytes"], row["host"]) == (5, name_of(tmp_path))
    since = row["since"]
    (tmp_path / "2-1.spool").write_bytes(b"678")
    (tmp_path / "0-1.damaged").write_bytes(b"x")
    (tmp_path / "0-2.refused").write_bytes(b"x")
    report.run()
    [row] = spools()
    assert (row["bytes"], row["set_aside"], row["since"]) == (8, 2, since)
    for path in tmp_path.glob("*.spool"):
        path.unlink()
    report.run()
    [row] = spools()
    assert (row["bytes"], row["set_aside"], row["since"]) == (0, 2, None)


def test_it_is_said_again_only_while_something_waits(database_url, tmp_path, spools, monkeypatch):
    report = SpoolReport(database_url, tmp_path)
    report.run()
    [first] = spools()
    monkeypatch.setattr(spool_report, "EVERY_SECONDS", 0)
    report.run()
    assert spools() == [first]
    (tmp_path / "1-1.spool").write_bytes(b"12345")
    report.run()
    [second] = spools()
    report.run()
    [third] = spools()
    assert third["reported_at"] > second["reported_at"]


def test_the_name_stays_with_the_disk_whatever_the_host_is_called(tmp_path, monkeypatch):
    name = name_of(tmp_path)
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    assert name_of(tmp_path) == name
    other = tmp_path / "other"
    other.mkdir()
    assert name_of(other).startswith("another-")


def test_a_postgres_that_is_away_is_told_again_later(database_url, tmp_path, spools):
    report = SpoolReport("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    with pytest.raises(psycopg.OperationalError):
        report.run()
    report._database_url = database_url
    report.run()
    assert len(spools()) == 1
