"""Free TCP ports on 127.0.0.1."""

from __future__ import annotations

import errno
import socket
import zlib
from pathlib import Path

# Below the ranges that Linux (32768) and macOS (49152) hand out to outgoing connections: a server that is
# restarted then never finds its port taken by somebody's connection.
_FIRST, _LAST = 20000, 32000


class Ports:
    """Picks ports that are free now, never one twice.

    The search begins at a place computed from `folder` and the name, so that one checkout tends to get the same
    ports each time and two checkouts get different ones.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._picked: set[int] = set()

    def pick(self, name: str, wanted: int | None = None) -> int:
        """`wanted` itself if given, else a free port for `name`.

        Raises OSError (EADDRINUSE) when the wanted port is taken, or, most unlikely, all are.
        """
        if wanted is not None:
            if wanted in self._picked or not is_free(wanted):
                raise OSError(errno.EADDRINUSE, f"port {wanted}, wanted for {name}, is in use: choose another")
            self._picked.add(wanted)
            return wanted
        span = _LAST - _FIRST
        start = zlib.crc32(f"{self._folder}:{name}".encode())
        for step in range(span):
            port = _FIRST + (start + step) % span
            if port not in self._picked and is_free(port):
                self._picked.add(port)
                return port
        raise OSError(errno.EADDRINUSE, f"no free port between {_FIRST} and {_LAST}")


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def is_listening(port: int, seconds: float = 1.0) -> bool:
    """Whether something accepts connections on 127.0.0.1 at `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), seconds).close()
    except OSError:
        return False
    return True
