"""smtplib with the product's splice: N connections in threads, or in processes of one thread each.

    python -m benchmarks._peer_smtplib threads|processes PORT MESSAGES CONNECTIONS [CA_FILE]

With CA_FILE each connection begins with STARTTLS.
"""

from __future__ import annotations

import multiprocessing
import smtplib
import socket
import ssl
import sys
from collections.abc import Callable
from threading import Thread

from benchmarks._child import Stretch
from benchmarks._material import composer
from digest.model import Message


def send(compose: Callable[[int], Message], port: int, numbers: range, ca_file: str) -> None:
    with smtplib.SMTP("127.0.0.1", port) as relay:
        assert relay.sock is not None
        # smtplib leaves it off, and over TLS then waits 40 ms a message for an acknowledgement.
        relay.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca_file:
            relay.starttls(context=ssl.create_default_context(cafile=ca_file))
        for number in numbers:
            message = compose(number)
            relay.sendmail(message.mail_from, [message.rcpt_to], message.content)


def main(kind: str, port: int, messages: int, connections: int, ca_file: str = "") -> None:
    compose = composer()
    stretch = Stretch()
    shares = [range(first, messages, connections) for first in range(connections)]
    make = Thread if kind == "threads" else multiprocessing.get_context("fork").Process
    workers = [make(target=send, args=(compose, port, share, ca_file)) for share in shares]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    stretch.tell(messages)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
