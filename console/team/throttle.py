"""How often one may try to log in: counted before a password is looked at, by account and by network."""

import hashlib
import hmac
import ipaddress
from datetime import timedelta
from typing import Any

import psycopg

from console.errors import ConsoleError
from console.team.words import N_
from shared.db import login_throttles

WINDOW = timedelta(minutes=15)
TRIES_OF_ACCOUNT = 10
TRIES_OF_NETWORK = 60


class Throttled(ConsoleError):
    """Too many tries. The text is the same whether there is such an account or not."""


class Throttle:
    """Counts tries. Keys are hashed with a secret of this installation, so that the table names nobody."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def admit(self, conn: psycopg.Connection[Any], *, account: str, network: str) -> None:
        """Counts one try and commits it, so that tries side by side count as well. Raises Throttled."""
        login_throttles.prune_throttles(conn, window=WINDOW)
        # In one order, whoever asks: two tries never wait for each other.
        by_network = login_throttles.count_try(conn, self._key("network", network), window=WINDOW)
        by_account = login_throttles.count_try(conn, self._key("account", account), window=WINDOW)
        conn.commit()
        if by_account > TRIES_OF_ACCOUNT or by_network > TRIES_OF_NETWORK:
            raise Throttled(N_("Too many tries. Wait a quarter of an hour, then try again."))

    def forgive(self, conn: psycopg.Connection[Any], *, account: str, network: str) -> None:
        """The try was right: the account starts from nothing, and it doesn't count for the network."""
        login_throttles.give_back_try(conn, self._key("network", network))
        login_throttles.forget_tries(conn, self._key("account", account))

    def _key(self, kind: str, value: str) -> bytes:
        text = f"{kind}\x1f{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).digest()


def network_of(address: str | None) -> str:
    """The network an address is of: /24 for IPv4, /48 for IPv6, since one person may have all of it."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))
