"""Signed links and return paths: what verifies, what never does, and how keys are kept."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
import string
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import tokens
from digest.errors import ConfigError, TokenError
from digest.tokens import KeyRing, Purpose, copy_signer, inert, is_inert, sign, signed, verify

RING = KeyRing.generate()
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

numbers = st.integers(0, 2**48 - 1)
purposes = st.sampled_from(Purpose)


@given(purposes, numbers)
def test_a_token_gives_its_number_back(purpose: Purpose, number: int) -> None:
    token = sign(RING, purpose, number)

    assert verify(RING, purpose, token) == number
    assert sign(RING, purpose, number) == token
    assert len(token) == 28
    assert set(token) <= set(ALPHABET)
    assert not is_inert(token)


@given(numbers, numbers, st.binary(min_size=32, max_size=100), st.integers(1, 255))
def test_the_tokens_of_a_copy_made_together_are_those_made_one_by_one(
    subscription: int, delivery: int, secret: bytes, key_id: int
) -> None:
    ring = KeyRing(key_id, {key_id: secret}, RING.address_secret, RING.link_secret)

    leave, bounce, message = copy_signer(ring)(subscription, delivery)

    assert leave == sign(ring, Purpose.leave, subscription)
    assert bounce == sign(ring, Purpose.bounce, delivery)
    assert message == sign(ring, Purpose.message, delivery)


def test_a_signer_of_copies_refuses_what_a_signature_alone_does() -> None:
    with pytest.raises(TokenError, match="no signing key 9"):
        copy_signer(RING, key_id=9)
    for numbers_of_copy in ((-1, 1), (1, -1), (2**48, 1), (1, 2**48)):
        with pytest.raises(ValueError, match="0 to 2"):
            copy_signer(RING)(*numbers_of_copy)


@given(purposes, numbers, st.integers(0, 27), st.characters())
def test_any_changed_character_is_refused(purpose: Purpose, number: int, place: int, other: str) -> None:
    token = sign(RING, purpose, number)
    changed = token[:place] + other + token[place + 1 :]
    if changed.isascii() and changed.lower() == token:
        return

    with pytest.raises(TokenError):
        verify(RING, purpose, changed)


@given(purposes, numbers, st.lists(st.booleans(), min_size=28, max_size=28))
def test_case_does_not_matter(purpose: Purpose, number: int, upper: list[bool]) -> None:
    token = "".join(c.upper() if up else c for c, up in zip(sign(RING, purpose, number), upper, strict=True))

    assert verify(RING, purpose, token) == number


def test_letters_that_only_fold_to_ascii_are_refused() -> None:
    number = next(n for n in range(1000) if "k" in sign(RING, Purpose.leave, n))
    token = sign(RING, Purpose.leave, number).replace("k", "\N{KELVIN SIGN}", 1)

    assert token.lower() == sign(RING, Purpose.leave, number)
    with pytest.raises(TokenError):
        verify(RING, Purpose.leave, token)


@given(st.text(max_size=40))
def test_anything_else_is_refused(text: str) -> None:
    for purpose in Purpose:
        with pytest.raises(TokenError):
            verify(RING, purpose, text)


@given(st.text(alphabet=string.ascii_letters + "234567", min_size=28, max_size=28))
def test_an_invented_token_is_refused(text: str) -> None:
    with pytest.raises(TokenError):
        verify(RING, Purpose.leave, text)


@given(purposes, purposes, numbers)
def test_a_token_of_another_purpose_is_refused(purpose: Purpose, other: Purpose, number: int) -> None:
    if purpose is other:
        return
    with pytest.raises(TokenError):
        verify(RING, other, sign(RING, purpose, number))


@given(purposes, numbers)
def test_another_installations_token_is_refused(purpose: Purpose, number: int) -> None:
    with pytest.raises(TokenError):
        verify(RING, purpose, sign(OTHER, purpose, number))


OTHER = KeyRing.generate()


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("asked", Purpose)
def test_an_inert_token_never_verifies(purpose: Purpose, asked: Purpose) -> None:
    token = inert(purpose)

    assert len(token) == 28
    assert set(token) <= set(ALPHABET)
    assert is_inert(token)
    assert is_inert(token.upper())
    with pytest.raises(TokenError, match="preview"):
        verify(RING, asked, token)


def test_key_id_zero_never_verifies_even_when_signed_with_a_secret_of_the_ring() -> None:
    head = signed._head(Purpose.leave, 0, 7)
    for secret in (*RING.signing.values(), RING.link_secret, RING.address_secret):
        with pytest.raises(TokenError):
            verify(RING, Purpose.leave, signed._written(head, signed._mac(secret, head)))


def test_a_token_with_an_unknown_key_is_refused_even_when_signed_with_the_link_secret() -> None:
    head = signed._head(Purpose.leave, 9, 7)

    with pytest.raises(TokenError):
        verify(RING, Purpose.leave, signed._written(head, signed._mac(RING.link_secret, head)))


@pytest.mark.parametrize("text", ["", "a" * 27, "a" * 29, "1" * 28, "ä" * 28, "=" * 28])
def test_what_is_no_token_is_not_inert(text: str) -> None:
    assert not is_inert(text)


@pytest.mark.parametrize("number", [-1, 2**48])
def test_a_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="2\\^48"):
        sign(RING, Purpose.leave, number)


@given(purposes, numbers)
def test_old_keys_still_verify_after_rotation(purpose: Purpose, number: int) -> None:
    newer = RING.rotated()

    assert newer.current != RING.current
    assert verify(newer, purpose, sign(RING, purpose, number)) == number
    assert sign(newer, purpose, number) != sign(RING, purpose, number)
    assert sign(newer, purpose, number, key_id=RING.current) == sign(RING, purpose, number)
    assert newer.address_secret == RING.address_secret
    with pytest.raises(TokenError):
        verify(RING, purpose, sign(newer, purpose, number))


def test_a_key_that_is_gone_is_named() -> None:
    with pytest.raises(TokenError, match="no signing key 200"):
        sign(RING, Purpose.bounce, 1, key_id=200)


def test_the_256th_key_is_refused() -> None:
    full = KeyRing(255, {255: b"x" * 32}, b"a" * 32, b"b" * 32)

    with pytest.raises(ValueError, match="1 to 255"):
        full.rotated()


def test_short_secrets_are_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        KeyRing(1, {1: b"x" * 32}, b"short", b"b" * 32)


def test_a_ring_does_not_show_its_secrets() -> None:
    assert repr(RING) == "KeyRing(current=1)"


# --- the file -----------------------------------------------------------------------------------------


def test_a_missing_file_is_made_once_with_mode_600(tmp_path: Path) -> None:
    path = tmp_path / "digest.keys"
    before = os.umask(0)
    try:
        first = KeyRing.load(path, create=True)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyRing.load(path, create=True) == first == KeyRing.load(path)
    assert [each.name for each in tmp_path.iterdir()] == ["digest.keys"]
    assert json.loads(path.read_text())["version"] == 1


def test_several_at_once_make_one_file(tmp_path: Path) -> None:
    path = tmp_path / "digest.keys"
    rings: list[KeyRing] = []
    threads = [
        threading.Thread(target=lambda: rings.append(KeyRing.load(path, create=True))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(rings) == 8
    assert all(ring == rings[0] for ring in rings)


def test_a_ring_that_cannot_be_saved_says_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be made") as caught:
        RING.save(tmp_path / "nowhere" / "digest.keys")
    assert caught.value.key == "keys.file"


def test_a_missing_file_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no key file") as caught:
        KeyRing.load(tmp_path / "digest.keys")

    assert "copy" in caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "digest.keys"
    KeyRing.load(path, create=True)
    path.chmod(mode)

    with pytest.raises(ConfigError, match=f"{mode:03o}") as caught:
        KeyRing.load(path)
    assert caught.value.hint == f"Run: chmod 600 {path}"


GOOD = {
    "version": 1,
    "current": 1,
    "signing": {"1": "ab" * 32},
    "address_secret": "cd" * 32,
    "link_secret": "ef" * 32,
}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({**GOOD, "current": 2}),
        json.dumps({**GOOD, "signing": {"0": "ab" * 32}, "current": 0}),
        json.dumps({**GOOD, "signing": ["ab"]}),
        json.dumps({**GOOD, "link_secret": "zz"}),
        json.dumps({**GOOD, "address_secret": "cdcd"}),
    ],
)
def test_a_damaged_file_is_refused_without_showing_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "digest.keys"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="damaged") as caught:
        KeyRing.load(path)
    assert "abab" not in str(caught.value)


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "digest.keys"
    path.write_text(json.dumps({**GOOD, "version": 2}))
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="newer version"):
        KeyRing.load(path)


def test_a_folder_in_its_place_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        KeyRing.load(tmp_path)


def test_a_folder_that_is_missing_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be made"):
        KeyRing.load(tmp_path / "none" / "digest.keys", create=True)


def test_a_rotated_ring_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "digest.keys"
    first = KeyRing.load(path, create=True)
    first.rotated().save(path)
    second = KeyRing.load(path)

    assert second.current == 2
    assert second.signing[1] == first.signing[1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["digest.keys"]


# --- links that expire --------------------------------------------------------------------------------

WEEK = dt.timedelta(days=7)


def test_a_preview_link_opens_until_it_is_too_old() -> None:
    link = tokens.preview_link(RING, "weekly/2026-11-16")

    assert tokens.open_preview_link(RING, link, WEEK) == "weekly/2026-11-16"
    with pytest.raises(TokenError, match="expired"):
        tokens.open_preview_link(RING, link, dt.timedelta(seconds=-1))


@given(st.text(max_size=60))
def test_an_invented_preview_link_is_refused(value: str) -> None:
    with pytest.raises(TokenError):
        tokens.open_preview_link(RING, value, WEEK)


def test_another_installations_preview_link_is_refused() -> None:
    with pytest.raises(TokenError):
        tokens.open_preview_link(OTHER, tokens.preview_link(RING, "weekly"), WEEK)
