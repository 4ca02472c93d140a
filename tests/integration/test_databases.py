"""The databases that tests get are as migrations leave them, whatever the tests before did."""

import psycopg
import pytest

from shared.db.migrate import migrate
from tests.databases import Databases, with_database
from tests.integration.db.makers import add_channel, add_dataset, add_deliveries, add_webhooks

SEEN = """
select (select count(*) from deliveries), (select count(*) from webhooks), (select array_agg(name) from workspaces)
"""


@pytest.fixture
def source(postgres_url):
    return Databases(postgres_url)


def connected(postgres_url, name):
    return psycopg.connect(with_database(postgres_url, name))


def test_what_a_test_leaves_is_wiped_and_the_next_counts_from_one(source, postgres_url):
    name = source.take()
    with connected(postgres_url, name) as conn:
        before = conn.execute(SEEN).fetchone()
        dataset = add_dataset(conn)
        channel = add_channel(conn, dataset_id=dataset)
        add_deliveries(conn, dataset, channel, 2)
        add_webhooks(conn, channel, 2)
        conn.execute("insert into workspaces (name) values ('other')")
    assert source.give_back(name)
    assert source.take() == name
    with connected(postgres_url, name) as conn:
        assert conn.execute(SEEN).fetchone() == before
        assert add_dataset(conn) == dataset
        assert migrate(conn) == []
    source.give_back(name)


@pytest.mark.parametrize(
    "change",
    [
        "create table more (id int)", "alter table datasets add more int", "revoke all on datasets from ctwa_worker",
        "alter table conversions disable trigger user", "drop index deliveries_due", "analyze workspaces",
    ],
)  # fmt: skip
def test_a_database_whose_shape_was_changed_is_dropped(source, postgres_url, change):
    name = source.take()
    with connected(postgres_url, name) as conn:
        conn.execute(change)
        if "analyze" in change:
            conn.execute("insert into workspaces (name) select 'w' || n from generate_series(1, 500) n")
            conn.execute("analyze workspaces")
    assert not source.give_back(name)


def test_whoever_is_still_connected_is_sent_away(source, postgres_url):
    name = source.take()
    with connected(postgres_url, name) as left:
        left.execute("lock table datasets")
        assert source.give_back(name)
        with pytest.raises(psycopg.OperationalError):
            left.execute("select 1")
