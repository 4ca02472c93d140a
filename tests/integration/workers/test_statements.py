"""What a batch costs Postgres: statements by the batch, and not by the webhook."""

import psycopg
import pytest


@pytest.fixture
def statements(monkeypatch):
    """Every statement that cursors of this process execute, in order."""
    seen = []
    for name in ("execute", "executemany"):
        whole = getattr(psycopg.Cursor, name)

        def counted(self, query, params=None, *rest, _whole=whole, _name=name, **named):
            if query:  # an empty one is the pool's, which sees whether a connection still stands
                seen.extend([" ".join(str(query).split())[:80]] * (len(params) if _name == "executemany" else 1))
            return _whole(self, query, params, *rest, **named)

        monkeypatch.setattr(psycopg.Cursor, name, counted)
    return seen


def test_many_webhooks_cost_as_many_statements_as_one(world, statements):
    channel = world.add_channel(dataset_id=world.add_dataset())
    costs = []
    # The first batch reads the rules, too.
    for count, first in ((1, 0), (1, 1), (48, 2)):
        for number in range(first, first + count):
            world.receive_sample(channel, phone=f"1555010{number:04d}")
        statements.clear()
        assert world.intake() == count
        read = len(statements)
        world.send()
        costs.append((read, len(statements) - read))
        assert set(world.states()) == {"accepted"}
    _, one, many = costs
    # Each with a new person, a new click and a new Lead: the dearest webhooks there are.
    assert one == many, "\n".join(statements)
    assert many[0] <= 30
    assert many[1] <= 15
