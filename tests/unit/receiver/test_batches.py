from hypothesis import given
from hypothesis import strategies as st

from receiver.batches import MAX_BYTES, MAX_ROWS, batches
from tests.unit.receiver.makers import webhook

BODIES = {size: bytes(size) for size in (0, 1000, MAX_BYTES // 3, MAX_BYTES, MAX_BYTES + 1)}


@given(st.lists(st.sampled_from(sorted(BODIES)), max_size=20), st.integers(0, 2 * MAX_ROWS + 1))
def test_batches_hold_everything_in_order_and_none_is_too_large(sizes: list[int], small: int) -> None:
    webhooks = [webhook(body=BODIES[size]) for size in sizes] + [webhook()] * small
    found = list(batches(webhooks))
    assert [one for batch in found for one in batch] == webhooks
    for batch in found:
        assert 1 <= len(batch) <= MAX_ROWS
        assert len(batch) == 1 or sum(len(one.body) for one in batch) <= MAX_BYTES
