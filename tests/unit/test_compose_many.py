"""Many copies at once: in order, the same whichever way they are made, and from several threads."""

from __future__ import annotations

import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from digest.compose import Composer, SigningKey, compile_message
from digest.errors import AddressError
from digest.model import Message, Recipient, SlotContext, SlotName, Variant, slot_token
from digest.tokens import KeyRing, Purpose, copy_signer, sign
from tests.compose_frames import FRAME, NONCE
from tests.dkim_reference import verify

RING = KeyRing.generate()
KEY = SigningKey("example.org", "s1", ed25519.Ed25519PrivateKey.generate())
SLOTS = " ".join(slot_token(NONCE, name, SlotContext.html) for name in SlotName)
TEXT = " ".join(slot_token(NONCE, name, SlotContext.text) for name in SlotName)
VARIANTS = [Variant(key, key, f"<p>{SLOTS}</p>", TEXT, NONCE) for key in ("default", "other")]


def composer(*keys: SigningKey, threads: int = 1) -> Composer:
    compiled = {variant.key: compile_message(variant, FRAME, keys=keys) for variant in VARIANTS}
    return Composer(compiled, copy_signer(RING), threads=threads)


def people(number: int) -> list[Recipient]:
    return [Recipient(i, 1000 + i, f"reader.{i}@example.net", "Ann" * (i % 3)) for i in range(number)]


NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=90) | st.text(
    "abAB -'.=", max_size=90
)
ADDRESSES = st.sampled_from(
    ["ann@example.net", "a.b+c@xn--bcher-kva.example", "ann@bücher.example", "zoë@example.org",
     '"a  b"@example.net', "o'neill@example.net", "a=b@example.net", "x" * 50 + "@" + "y" * 60 + ".example"]
)  # fmt: skip


@given(st.integers(0, 2**40), st.integers(0, 2**40), ADDRESSES, NAMES)
def test_a_copy_is_that_of_the_single_message(
    delivery: int, subscription: int, address: str, name: str
) -> None:
    recipient = Recipient(delivery, subscription, address, name)
    single = compile_message(VARIANTS[0], FRAME).message(
        recipient,
        leave=sign(RING, Purpose.leave, subscription),
        bounce=sign(RING, Purpose.bounce, delivery),
        message=sign(RING, Purpose.message, delivery),
    )

    assert composer().message(recipient) == single
    assert composer().messages([recipient]) == [single]


@pytest.mark.parametrize("number", [0, 1, 15, 16, 100])
def test_threads_change_neither_order_nor_bytes(number: int) -> None:
    with composer(KEY, threads=3) as several, composer(KEY) as one:
        made = several.messages(people(number))

        assert made == one.messages(people(number))
        assert [each.delivery for each in made if isinstance(each, Message)] == list(range(number))


def test_one_that_cannot_be_written_keeps_its_place_and_disturbs_nobody() -> None:
    readers = people(40)
    readers[17] = Recipient(17, 17, "not an address")
    with composer(KEY, threads=2) as several:
        made = several.messages(readers)

    assert isinstance(made[17], AddressError)
    assert [each.delivery for each in made if isinstance(each, Message)] == [i for i in range(40) if i != 17]


def test_each_reader_gets_the_variant_that_is_theirs() -> None:
    with composer() as made:
        assert (
            b"Subject: other\r\n" in made.message(Recipient(1, 1, "a@example.org", variant="other")).content
        )


def test_only_signing_is_slow() -> None:
    with composer() as plain, composer(KEY, threads=2) as signing:
        assert not plain.slow
        assert signing.slow


def test_several_may_ask_at_once() -> None:
    readers = people(64)
    with composer(KEY, threads=2) as several:
        wanted, found = several.messages(readers), list[object]()
        threads = [threading.Thread(target=lambda: found.append(several.messages(readers))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == [wanted] * 4
    assert all(
        verdict.good
        for each in wanted
        if isinstance(each, Message)
        for verdict in verify(each.content, lambda _: KEY.record)
    )
