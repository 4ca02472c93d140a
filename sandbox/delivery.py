"""How an answer goes over a socket: whole, or broken in one of the ways that networks break."""

import select
import socket
import struct
import threading

from sandbox.faults import Delivery

# Where a view leaves, in the WSGI environ, who is to deliver its answer in place of the server.
DELIVERY = "sandbox.delivery"


def deliver(
    how: Delivery, sock: socket.socket, head: bytes, body: bytes, seconds: float, hurry: threading.Event
) -> bool:
    """Send an answer in this way. True: the connection may serve another call.

    A trickle takes `seconds`, unless `hurry` is set: then the rest goes out at once.
    """
    if how == "whole":
        sock.sendall(head + body)
    elif how == "half":
        sock.sendall(head + body[: len(body) // 2])
    elif how == "trickle":
        _trickle(sock, head + body, seconds, hurry)
    elif how == "reset":
        _reset(sock)
    return how in ("whole", "trickle")


def _trickle(sock: socket.socket, content: bytes, seconds: float, hurry: threading.Event) -> None:
    for position in range(len(content)):
        if hurry.wait(seconds / len(content)):
            sock.sendall(content[position:])
            return
        sock.sendall(content[position : position + 1])


def _reset(sock: socket.socket) -> None:
    """Close with a zero linger time, which makes the kernel send RST in place of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.close(sock.detach())


def caller_is_gone(sock: socket.socket) -> bool:
    """True once the other side has closed the connection, whatever it sent before is unread or not."""
    poll = select.poll()
    poll.register(sock, getattr(select, "POLLRDHUP", select.POLLHUP))
    return bool(poll.poll(0))
