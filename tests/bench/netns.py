"""Runs a command in a network of its own, from which it reaches nothing but the given ports of this machine.

`python -m tests.bench.netns 5432,6379 -- COMMAND`. The new network has a loopback and no other interface; sockets that
listen there are handed to a process outside, which passes on what comes. Linux only; needs root or user namespaces.
"""

import asyncio
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Becomes the command; a child of it, outside, relays."""
    ports = [int(port) for port in sys.argv[1].split(",")]
    command = sys.argv[sys.argv.index("--") + 1 :]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    if os.fork() == 0:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _, numbers, _, _ = socket.recv_fds(theirs, 16, len(ports))
        asyncio.run(_relay([socket.socket(fileno=number) for number in numbers], ports))
    _enter_a_network_of_its_own()
    listeners = [socket.create_server(("127.0.0.1", port)) for port in ports]
    socket.send_fds(ours, [b"ports"], [listener.fileno() for listener in listeners])
    os.execvp(command[0], command)


def works() -> bool:
    """Whether this machine allows it."""
    pid = os.fork()
    if pid == 0:
        try:
            _enter_a_network_of_its_own()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def _enter_a_network_of_its_own() -> None:
    """Raises OSError where that is forbidden."""
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWNET if uid == 0 else _CLONE_NEWUSER | _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))


async def _relay(listeners: list[socket.socket], ports: list[int]) -> None:
    servers = []
    for listener, port in zip(listeners, ports, strict=True):

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = port) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pass(reader, back), _pass(there, writer), return_exceptions=True)

        servers.append(await asyncio.start_server(serve, sock=listener))
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


if __name__ == "__main__":
    main()
