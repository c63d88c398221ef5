"""aiosmtplib on uvloop with the product's splice: one task for each connection.

    python -m benchmarks._peer_aiosmtplib PORT MESSAGES CONNECTIONS [CA_FILE]

With CA_FILE each connection begins with STARTTLS. aiosmtplib is on PYTHONPATH (`benchmarks._tools`).
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
import sys
from collections.abc import Callable

import uvloop

from benchmarks._child import Stretch
from benchmarks._material import composer
from digest.model import Message

aiosmtplib = importlib.import_module("aiosmtplib")  # no dependency of the project: types cannot find it


async def send(compose: Callable[[int], Message], port: int, numbers: range, ca_file: str) -> None:
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    relay = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=bool(ca_file), tls_context=context)
    async with relay:
        for number in numbers:
            message = compose(number)
            await relay.sendmail(message.mail_from, [message.rcpt_to], message.content)


async def send_all(
    compose: Callable[[int], Message], port: int, messages: int, connections: int, ca_file: str
) -> None:
    shares = [range(first, messages, connections) for first in range(connections)]
    await asyncio.gather(*(send(compose, port, share, ca_file) for share in shares))


def main(port: int, messages: int, connections: int, ca_file: str = "") -> None:
    compose = composer()
    stretch = Stretch()
    uvloop.run(send_all(compose, port, messages, connections, ca_file))
    stretch.tell(messages)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
