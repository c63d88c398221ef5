"""What makes the copies of an edition: its variants compiled, with tokens, enclosures and signatures.

Sending, previews and test copies all come from here, so that what was looked at is what leaves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from html import escape

from digest.compose import Compiled, Composer, Enclosure, SigningKey, compile_message
from digest.edition import attachments_of, has_inline_pictures
from digest.errors import EditionError
from digest.model import Edition, Variant
from digest.tokens import copy_signer
from digest.work.desk import Desk
from digest.work.own_pictures import own_pictures


def composer(desk: Desk, edition: Edition) -> Composer:
    """For sending: each copy has its own tokens. The caller closes it.

    Raises `ConfigError` when the sender's domain should sign and cannot, `EditionError` without content,
    `TokenError` when the edition's key is gone.
    """
    variants = {variant.key: variant for variant in edition.variants}
    keys, enclosures = signing_keys(desk, edition), enclosed(desk, edition)
    return Composer(
        {key: _compiled(desk, edition, variant, enclosures, keys) for key, variant in variants.items()},
        copy_signer(desk.keys, key_id=edition.key_id),
        threads=_cores(),
    )


def compiled(desk: Desk, edition: Edition, variant: Variant, keys: Sequence[SigningKey]) -> Compiled:
    """One variant signed with `keys`, to be given tokens that do nothing; raises as `composer` does."""
    return _compiled(desk, edition, variant, enclosed(desk, edition), keys)


def signing_keys(desk: Desk, edition: Edition) -> tuple[SigningKey, ...]:
    """Those of the domain in From that are active now; none where the relay has to sign.

    Raises `ConfigError` for one that is missing. They are not frozen with the edition: a signature is no
    content, and a key that leaked must not sign again only because an edition was built before.
    """
    if edition.sender is None:
        return ()
    return desk.dkim_keys.signing(edition.sender.address.rpartition("@")[2])


def enclosed(desk: Desk, edition: Edition) -> list[Enclosure]:
    """What goes with every copy, as it was frozen: attachments, and pictures where they stand in the mail."""
    found = [_attachment(desk, edition, *each) for each in attachments_of(edition)]
    if has_inline_pictures(edition):
        found += _pictures(desk, edition)
    return found


def _compiled(
    desk: Desk,
    edition: Edition,
    variant: Variant,
    enclosures: Iterable[Enclosure],
    keys: Sequence[SigningKey],
) -> Compiled:
    return compile_message(
        variant,
        desk.frame(edition),
        enclosures=tuple(enclosures),
        keys=keys,
        unsigned=frozenset(desk.settings.dkim.unsigned),
    )


def _attachment(desk: Desk, edition: Edition, name: str, frozen: str) -> Enclosure:
    kept = desk.stories.media(frozen)
    if kept is None:
        raise EditionError(edition.name, f"has lost its attachment {name}", hint="Build it again.")
    content, media_type = kept
    return Enclosure(name, media_type, content)


def _pictures(desk: Desk, edition: Edition) -> list[Enclosure]:
    pictures = []
    for url, name in own_pictures(edition).items():
        kept = desk.stories.media(name)
        if kept is not None:
            content, media_type = kept
            ending = media_type.rpartition("/")[2].partition("+")[0]
            pictures.append(Enclosure(f"{name[:8]}.{ending}", media_type, content, escape(url)))
    return pictures


def _cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
