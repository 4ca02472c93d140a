"""The same database as another role, however the server was named."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from console.stack.plan import as_role


@pytest.mark.parametrize(
    "database_url",
    [
        "postgresql://owner:secret@db.example:5433/ctwa?sslmode=require",
        "postgresql://owner@db.example:5433/ctwa?sslmode=require",
        "postgresql://db.example:5433/ctwa?sslmode=require",
        "host=db.example port=5433 dbname=ctwa sslmode=require user=owner password=secret",
    ],
)
def test_another_role_logs_in_to_the_same_database_with_its_own_password(database_url):
    parts = conninfo_to_dict(as_role(database_url, "ctwa_worker", "p@ss/word:?#"))
    assert parts == {
        "host": "db.example",
        "port": "5433",
        "dbname": "ctwa",
        "sslmode": "require",
        "user": "ctwa_worker",
        "password": "p@ss/word:?#",
    }
