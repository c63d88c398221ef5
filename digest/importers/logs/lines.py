"""Bytes of a log -> lines, a block at a time, and how far was read.

Only whole lines count: what stands behind the last line end is being written at this moment, or was cut off.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 1 << 20
LONGEST = 65_536
"""Bytes. Servers refuse requests whose line and two headers would not fit (8 kB each): longer is noise."""


class Lines:
    """The lines of `stream` from byte `start` on; `begun` is what was read of it already, from its beginning.

    `offset` is the byte behind the last whole line that was handed out, `tail` what stands behind it at the
    end, `damage` why reading ended early, `long` how many lines were too long (and are left out).
    """

    def __init__(self, stream: BinaryIO, begun: bytes, start: int) -> None:
        self._stream, self._begun = stream, begun
        self.offset = start
        self.tail = b""
        self.damage = ""
        self.long = 0

    def blocks(self) -> Iterator[list[bytes]]:
        """Lists of lines without their ends. Bounded by `BLOCK` and `LONGEST`, whatever is in the file."""
        rest, cutting = b"", False
        for block in self._bytes():
            pieces = (rest + block).split(b"\n")
            rest = pieces.pop()
            if pieces and cutting:
                self.long += 1
                self.offset += len(pieces.pop(0)) + 1
                cutting = False
            if pieces:
                self.offset += sum(map(len, pieces)) + len(pieces)
                yield pieces
            if len(rest) > LONGEST:
                self.offset += len(rest)
                rest, cutting = b"", True
        self.long += cutting
        self.tail = rest

    def _bytes(self) -> Iterator[bytes]:
        start = self.offset
        yield self._begun[start:]
        try:
            ahead = start - len(self._begun)
            if ahead > 0 and self._stream.seekable():
                self._stream.seek(start)
            else:
                while ahead > 0 and (passed := self._stream.read(min(BLOCK, ahead))):
                    ahead -= len(passed)
            while block := self._stream.read(BLOCK):
                yield block
        except (OSError, EOFError, zlib.error) as error:
            self.damage = f"it is damaged behind byte {self.offset:,}: {error}"
