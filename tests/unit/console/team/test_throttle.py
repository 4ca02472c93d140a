"""Which network an address is of."""

import pytest

from console.team.throttle import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("", "unknown"),
        (None, "unknown"),
        ("unix", "unknown"),
    ],
)
def test_the_network_of_an_address(address, network):
    assert network_of(address) == network
