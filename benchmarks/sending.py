"""How fast does an edition leave, with everything that keeps the ledger true?

Input: the sample newspaper's three weeks as three editions of about 40 kB a copy, each for 3,000
subscribers, sent as `digest send` does it: claimed, composed, offered (committed to the disk before the first
byte), handed over, recorded. The relay is Postfix's smtp-sink on loopback, which takes everything; without it
nothing is measured.

Compared, on the same messages and the same sink: smtplib over one connection with messages made beforehand
(no ledger: what the library and the sink allow), and a loop such as many programs have, which makes an
EmailMessage for each reader and hands it to smtplib. Each figure is the median of three runs; CPU is that of
our process alone. Compare the ratios.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import smtplib
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from pathlib import Path

from digest.app import App
from digest.cli.init import first_config, make
from digest.compose import compile_message
from digest.config import load
from digest.model import DeliveryState, Edition, Message, Recipient
from digest.sample import READERS, Sample
from digest.schedule import last_complete
from digest.tokens import Purpose, inert
from digest.work.build import approve, build
from digest.work.send import send
from subscribers import Entry

PEOPLE = 3000
ROUNDS = 3
_WEEK_END = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Measured:
    """One run: messages, seconds, and seconds of CPU of this process."""

    messages: int
    seconds: float
    cpu: float


def smtp_sink() -> str | None:
    """Where it is; Debian keeps it where only root looks."""
    return shutil.which("smtp-sink") or shutil.which("smtp-sink", path="/usr/sbin")


@contextmanager
def sink(program: str) -> Iterator[int]:
    """Takes all mail and forgets it; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with subprocess.Popen([program, *user, f"127.0.0.1:{port}", "256"]) as process:
        try:
            until = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > until or process.poll() is not None:
                        raise
                    time.sleep(0.01)
            yield port
        finally:
            process.terminate()


def newsroom(folder: Path, port: int) -> App:
    """The sample newspaper, with `PEOPLE` subscribers and the sink as its relay."""
    config, _, _ = make(folder, first_config())
    app = App(load(config, {"DIGEST_SMTP__PORT": str(port)}))
    sample = Sample(_WEEK_END)
    app.stories.import_drafts("sample", sample.stories({}), seen=_WEEK_END)
    app.signals.record(READERS, "sample", sample.readings())
    app.editions.ensure_newsletter("weekly", since=_WEEK_END - dt.timedelta(days=30))
    people = [
        Entry(address, name, row=row) for row, (address, name) in enumerate(sample.subscribers(PEOPLE), 1)
    ]
    app.subscribers.import_confirmed(people, "weekly", source="benchmark", basis="made up")
    return app


def editions(app: App) -> Iterator[Edition]:
    """One approved edition for each of the sample's weeks, the oldest first."""
    for weeks in reversed(range(ROUNDS)):
        period = last_complete(app.schedule("weekly"), _WEEK_END - dt.timedelta(days=7 * weeks))
        edition = build(app, "weekly", period, by="benchmark")
        approve(app, edition, by="benchmark")
        yield app.editions.get(edition.id)


def timed(count: int, action: Callable[[], object]) -> Measured:
    start, cpu = time.perf_counter(), time.process_time()
    action()
    return Measured(count, time.perf_counter() - start, time.process_time() - cpu)


def by_digest(app: App, edition: Edition) -> Measured:
    def action() -> None:
        counts = send(app, edition).counts
        assert counts[DeliveryState.accepted] == PEOPLE, counts

    return timed(PEOPLE, action)


def by_smtplib(messages: list[Message], port: int) -> Measured:
    def action() -> None:
        with smtplib.SMTP("127.0.0.1", port) as relay:
            for message in messages:
                relay.sendmail(message.mail_from, [message.rcpt_to], message.content)

    return timed(len(messages), action)


def by_email_message(app: App, edition: Edition, people: list[Recipient], port: int) -> Measured:
    """One EmailMessage for each reader, as many programs do it."""
    compiled = compile_message(edition.variants[0], app.frame(edition))

    def action() -> None:
        with smtplib.SMTP("127.0.0.1", port) as relay:
            for reader in people:
                copy = compiled.copy(reader, leave=inert(Purpose.leave))
                message = EmailMessage(policy=policy.SMTP)
                message["From"], message["To"] = "weekly@example.org", reader.address
                message["Subject"] = copy.subject
                message.set_content(copy.text)
                message.add_alternative(copy.html, subtype="html")
                relay.send_message(message)

    return timed(len(people), action)


def made(app: App, edition: Edition, people: list[Recipient]) -> list[Message]:
    compiled = compile_message(edition.variants[0], app.frame(edition))
    tokens = {purpose.name: inert(purpose) for purpose in Purpose}
    return [compiled.message(reader, **tokens) for reader in people]


def run() -> None:
    program = smtp_sink()
    if program is None:
        print("no smtp-sink: it comes with Postfix (on Debian: apt-get install postfix)")
        return
    results: dict[str, list[Measured]] = {}

    def note(label: str, measured: Measured) -> None:
        results.setdefault(label, []).append(measured)

    with tempfile.TemporaryDirectory(prefix="digest-bench-") as scratch, sink(program) as port:
        app = newsroom(Path(scratch) / "news", port)
        people = [Recipient(n, n, f"reader.{n}@example.org", "Ann") for n in range(PEOPLE)]
        size = 0
        for edition in editions(app):
            messages = made(app, edition, people[:1000])
            size = len(messages[0].content)
            note("digest send", by_digest(app, edition))
            note("smtplib, made beforehand", by_smtplib(messages, port))
            note("EmailMessage and smtplib", by_email_message(app, edition, people[:200], port))
        connections = app.settings.smtp.connections
    print(
        f"{ROUNDS} editions to {PEOPLE:,} subscribers, {size / 1000:.0f} kB a copy, {connections} "
        "connections to smtp-sink; the ledger is on disk"
    )
    print(f"{'':26} {'messages/s':>10}   {'us of CPU a message':>19}")
    base = statistics.median(each.messages / each.seconds for each in results["digest send"])
    for label, runs in results.items():
        rate = statistics.median(each.messages / each.seconds for each in runs)
        cpu = statistics.median(each.cpu / each.messages for each in runs) * 1e6
        compared = "" if label == "digest send" else f"   digest send has {base / rate:.1f} times its rate"
        print(f"{label:26} {rate:10,.0f}   {cpu:19,.0f}{compared}")


if __name__ == "__main__":
    run()
