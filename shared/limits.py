"""How often one address may be refused before it is told to wait. Bounded in memory; nothing is kept on disk."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable


class RefusalLimit:
    """A token bucket for each address: `burst` refusals at once, then `per_second`. Safe between threads."""

    def __init__(
        self,
        *,
        burst: float = 100,
        per_second: float = 5,
        addresses: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._max_addresses = addresses
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, address: str) -> bool:
        """Takes a token; False when the address has none left."""
        owner, now = _owner(address), self._clock()
        with self._lock:
            tokens, since = self._buckets.pop(owner, (self._burst, now))
            tokens = min(self._burst, tokens + (now - since) * self._per_second)
            allowed = tokens >= 1
            self._buckets[owner] = (tokens - 1 if allowed else tokens, now)
            if len(self._buckets) > self._max_addresses:
                self._buckets.popitem(last=False)
        return allowed

    @property
    def addresses(self) -> int:
        """How many addresses are remembered."""
        return len(self._buckets)


def _owner(address: str) -> str:
    """An IPv6 sender owns a /64 and can change its address at will."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address, 64), strict=False))
    except ValueError:
        return address
