"""What does a DKIM signature cost, and do threads or processes share it out better?

Input: the messages of the benchmark `compose`, each with its tokens. First CPU time a message: the bare
signature of 32 octets, then the whole copy as it leaves, and dkimpy, which signs the same copy from its
bytes. Then time on the clock for 500 copies in batches of 100: in one thread, in as many threads as there are
cores and in twice as many, and with as many processes, to which only the digests go (a copy would have to be
sent there and back). These take turns, and the best of each is shown: other work on the machine can only add
to it.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from benchmarks.compose import frame, microseconds, readers, variant
from digest.compose import Composer, SigningKey, compile_message
from digest.model import Message, Recipient
from digest.tokens import KeyRing, copy_signer

COPIES, BATCH, ROUNDS = 500, 100, 12
_key: list[SigningKey] = []


def _pem(key: SigningKey) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    assert isinstance(key.private, RSAPrivateKey)
    return key.private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _take(pem: bytes) -> None:
    _key.append(SigningKey.load("example.org", "s1", pem))


def _sign(digests: Sequence[bytes]) -> list[bytes]:
    return [_key[0].sign(digest) for digest in digests]


def composer(*keys: SigningKey, threads: int = 1) -> Composer:
    compiled = compile_message(variant(), frame(), keys=keys)
    return Composer({"default": compiled}, copy_signer(KeyRing.generate()), threads=threads)


def each(made: Composer) -> Callable[[Recipient], bytes]:
    return lambda reader: made.message(reader).content


def by_dkimpy(key: SigningKey) -> Callable[[Recipient], bytes]:
    made, pem = composer(), _pem(key)

    def sign(reader: Recipient) -> bytes:
        content = made.message(reader).content
        signature: bytes = dkim.sign(
            content, b"s1", b"example.org", pem, canonicalize=(b"relaxed", b"relaxed")
        )
        return signature + content

    return sign


def in_processes(pool: ProcessPoolExecutor, cores: int) -> Callable[[Sequence[Recipient]], object]:
    plain = composer()

    def work(people: Sequence[Recipient]) -> list[bytes]:
        made = [each for each in plain.messages(people) if isinstance(each, Message)]
        digests = [hashlib.sha256(each.content).digest() for each in made]
        shares = [pool.submit(_sign, digests[at::cores]) for at in range(cores)]
        return [signature for share in shares for signature in share.result()]

    return work


def on_the_clock(works: Mapping[str, Callable[[Sequence[Recipient]], object]]) -> dict[str, float]:
    """Microseconds a copy: the best of the rounds."""
    people, best = readers(COPIES), dict.fromkeys(works, math.inf)
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.perf_counter()
            for at in range(0, COPIES, BATCH):
                work(people[at : at + BATCH])
            best[name] = min(best[name], (time.perf_counter() - start) / COPIES * 1e6)
    return best


def run() -> None:
    rsa = SigningKey("example.org", "s1", generate_private_key(65537, 2048))
    ed25519 = SigningKey("example.org", "s1-ed25519", Ed25519PrivateKey.generate())
    people = readers(300)
    print("CPU a message")
    for name, make, some in (
        ("bare RSA-2048 signature", lambda _: rsa.sign(bytes(32)), people),
        ("bare Ed25519 signature", lambda _: ed25519.sign(bytes(32)), people),
        ("copy without signature", each(composer()), people),
        ("copy with RSA-2048", each(composer(rsa)), people),
        ("copy with RSA-2048 and Ed25519", each(composer(rsa, ed25519)), people),
        ("copy with Ed25519", each(composer(ed25519)), people),
        ("copy with RSA-2048 by dkimpy", by_dkimpy(rsa), people[:30]),
    ):
        print(f"{name:31} {microseconds(make, some, 7):8.1f} us")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    print(f"on the clock, RSA-2048, {cores} cores")
    with ExitStack() as stack:
        works: dict[str, Callable[[Sequence[Recipient]], object]] = {
            f"threads: {threads}": stack.enter_context(composer(rsa, threads=threads)).messages
            for threads in sorted({1, cores, 2 * cores})
        }
        pool = stack.enter_context(ProcessPoolExecutor(cores, initializer=_take, initargs=(_pem(rsa),)))
        works[f"processes: {cores}"] = in_processes(pool, cores)
        for name, taken in on_the_clock(works).items():
            print(f"{name:31} {taken:8.1f} us")
