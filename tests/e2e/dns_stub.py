"""A name server of the test's own, over UDP on 127.0.0.1: it has some TXT records and nothing else."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_TXT, _IN = 16, 1
_NAME_ERROR = 3


@contextmanager
def running(records: Mapping[str, str]) -> Iterator[int]:
    """Answers with these TXT records, which may change meanwhile; yields its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, server = self.request
            server.sendto(answer(query, records), self.client_address)

    with socketserver.UDPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def answer(query: bytes, records: Mapping[str, str]) -> bytes:
    """The reply to one query (RFC 1035 4.1); a name without a record does not exist."""
    number, flags = struct.unpack(">HH", query[:4])
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
    question = query[12 : at + 5]
    name = ".".join(labels)
    record = records.get(name) if kind == _TXT else None
    known = any(each == name or each.endswith(f".{name}") for each in records)
    reply = 0x8400 | flags & 0x0100 | (0 if known else _NAME_ERROR)
    head = struct.pack(">HHHHHH", number, reply, 1, record is not None, 0, 0)
    if record is None:
        return head + question
    text = record.encode("ascii")
    strings = [text[start : start + 255] for start in range(0, len(text), 255)]
    data = b"".join(bytes([len(each)]) + each for each in strings)
    return head + question + struct.pack(">HHHIH", 0xC00C, _TXT, _IN, 1, len(data)) + data
