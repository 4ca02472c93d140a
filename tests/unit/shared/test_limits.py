from shared.limits import RefusalLimit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_is_told_to_wait_after_a_burst_and_may_come_again() -> None:
    clock = Clock()
    limit = RefusalLimit(burst=3, per_second=1, clock=clock)
    assert [limit.allow("203.0.113.1") for _ in range(4)] == [True, True, True, False]
    clock.now = 1.0
    assert [limit.allow("203.0.113.1") for _ in range(2)] == [True, False]
    clock.now = 1000.0
    assert [limit.allow("203.0.113.1") for _ in range(4)] == [True, True, True, False]


def test_one_address_costs_another_nothing() -> None:
    limit = RefusalLimit(burst=1, per_second=0.001)
    assert limit.allow("203.0.113.1")
    assert not limit.allow("203.0.113.1")
    assert limit.allow("203.0.113.2")


def test_an_ipv6_sender_cannot_change_its_address_within_its_network() -> None:
    limit = RefusalLimit(burst=1, per_second=0.001)
    assert limit.allow("2001:db8::1")
    assert not limit.allow("2001:db8::2")
    assert limit.allow("2001:db8:0:1::1")


def test_memory_is_bounded_however_many_addresses_come() -> None:
    limit = RefusalLimit(addresses=100)
    for number in range(1000):
        limit.allow(f"10.0.{number // 256}.{number % 256}")
    assert limit.addresses == 100
