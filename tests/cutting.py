"""A proxy that cuts the first connections through it after so many bytes, and lets the next ones pass.

    proxy = CuttingProxy(server_port, Cut("client", 117, "reset"), Cut("server", 20, "close"))
    port = await proxy.listen()

Of each it passes exactly that many bytes of one side on, then ends both ends of it: in order ("close"), by a
reset ("reset"), or not at all ("stall": nothing more passes, and nobody is told).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import Literal, cast

Side = Literal["client", "server"]


@dataclass(frozen=True, slots=True)
class Cut:
    side: Side
    """Whose bytes are counted."""
    after: int
    end: Literal["close", "reset", "stall"]


class CuttingProxy:
    """In front of one server, on a port of its own. `passed` is what the first connection let through."""

    def __init__(self, server: int, *cuts: Cut) -> None:
        self.server = server
        self._cuts = list(cuts)
        self.passed: dict[Side, bytearray] = {"client": bytearray(), "server": bytearray()}
        self._connections = 0
        self._ends: set[_End] = set()
        self._listener: asyncio.Server | None = None

    async def listen(self) -> int:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _End(self, "client"), "127.0.0.1", 0)
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    def next_cut(self) -> tuple[Cut | None, bool]:
        """For a new connection; and whether it is the first one."""
        self._connections += 1
        return self._cuts.pop(0) if self._cuts else None, self._connections == 1

    def close(self) -> None:
        assert self._listener is not None
        self._listener.close()
        for end in list(self._ends):
            end.finish("reset")


class _End(asyncio.Protocol):
    """The proxy's end of one connection; `side` is who is at the other end of it."""

    def __init__(self, proxy: CuttingProxy, side: Side, peer: _End | None = None) -> None:
        self._proxy, self._side, self._peer = proxy, side, peer
        self._transport: asyncio.Transport | None = None
        self._waiting = bytearray()
        self._cut: Cut | None = peer._cut if peer is not None else None
        self._first: bool = peer._first if peer is not None else False
        self._passed = 0
        self._dialling: asyncio.Task[object] | None = None
        self._deaf = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._proxy._ends.add(self)
        if self._side == "client":
            self._cut, self._first = self._proxy.next_cut()
            peer = self._peer = _End(self._proxy, "server", self)
            loop = asyncio.get_running_loop()
            self._dialling = loop.create_task(
                loop.create_connection(lambda: peer, "127.0.0.1", self._proxy.server)
            )
        if self._waiting:
            self._transport.write(self._waiting)
        if self._peer is not None and self._side == "server":
            self._peer._cut_if_due()
        self._cut_if_due()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._cut is not None and self._cut.side == self._side:
            data = data[: self._cut.after - self._passed]
        self._passed += len(data)
        if self._first:
            self._proxy.passed[self._side] += data
        if data and self._peer is not None:
            self._peer.write(data)
        self._cut_if_due()

    def _cut_if_due(self) -> None:
        cut, peer = self._cut, self._peer
        if cut is None or cut.side != self._side or peer is None or self._passed < cut.after:
            return
        if peer._transport is not None:  # else when it is connected
            for end in (self, peer):
                end.finish(cut.end)

    def write(self, data: bytes) -> None:
        if self._transport is None:
            self._waiting += data
        else:
            self._transport.write(data)

    def finish(self, how: str) -> None:
        self._deaf = True
        if self._transport is None or how == "stall":
            return
        if how == "reset":
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._proxy._ends.discard(self)
        if self._peer is not None and not self._peer._deaf:
            self._peer.finish("close")
        self._deaf = True
