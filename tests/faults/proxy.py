"""A TCP proxy whose link can be spoilt: it stands before Postgres, Valkey and the Graph while a scenario runs."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

_CHUNK = 64 * 1024
_START_SECONDS = 5.0


@dataclass(frozen=True)
class Link:
    """How the link is. The default passes everything on.

    `refuse` answers connects with a reset and ends what is open. `frozen` accepts and forwards nothing until it
    changes; nothing is lost then, as with packets that are sent again. `latency` is seconds for each piece, each way.
    `bytes_per_second` throttles answers. `reset_after` resets a connection after so many bytes of answers: 0 does it
    when the answer has been produced and nothing of it has gone out. `half_close` ends the answers' way after the
    request has gone through.
    """

    refuse: bool = False
    frozen: bool = False
    latency: float = 0.0
    bytes_per_second: int | None = None
    reset_after: int | None = None
    half_close: bool = False


PASS = Link()


class Proxy:
    """Listens on `port` and forwards to `target`, in a thread of its own. Also a context manager."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        #: New connections go there.
        self.target = target
        #: How many connections a spoilt link has struck: refused, cut or held up.
        self.struck = 0
        self._link = PASS
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {port}", daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)
        self._loop.close()

    def set(self, link: Link) -> None:
        """Changes the link, for open connections too."""
        self._call(self._set(link))

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECONDS)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)

    async def _set(self, link: Link) -> None:
        self._link = link
        if link.refuse and self._server is not None:
            self._server.close()
            self._server = None
            for writer in list(self._writers):
                self._reset(writer)
        elif not link.refuse and self._server is None:
            await self._listen()
        self._changed.set()
        self._changed = asyncio.Event()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            await self._thaw()
            far_reader, far = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(far)
            await asyncio.gather(self._forward(reader, far), self._answer(far_reader, writer, far))
        except OSError:
            pass
        finally:
            for one in filter(None, (writer, far)):
                self._writers.discard(one)
                with contextlib.suppress(OSError):
                    one.close()

    async def _forward(self, reader: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._thaw()
            await asyncio.sleep(self._link.latency)
            far.write(data)
            await far.drain()
        with contextlib.suppress(OSError):
            far.write_eof()

    async def _answer(
        self, far_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: asyncio.StreamWriter
    ) -> None:
        answered = 0
        while data := await far_reader.read(_CHUNK):
            await self._thaw()
            link = self._link
            await asyncio.sleep(link.latency)
            if link.half_close:
                self.struck += 1
                writer.write_eof()
                return
            if link.reset_after is not None and answered + len(data) > link.reset_after:
                writer.write(data[: link.reset_after - answered])
                await writer.drain()
                self._reset(writer)
                self._reset(far)
                return
            answered += len(data)
            await self._send(writer, data)
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        rate = self._link.bytes_per_second
        for start in range(0, len(data), rate or len(data)):
            if rate:
                await asyncio.sleep(1.0)
            writer.write(data[start : start + (rate or len(data))])
            await writer.drain()

    async def _thaw(self) -> None:
        if self._link.frozen:
            self.struck += 1
        while self._link.frozen:
            await self._changed.wait()

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        """Ends a connection with RST, as a host does that has forgotten it."""
        self.struck += 1
        sock = writer.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
