"""Signed links and return paths, the file of their keys, and its rotation.

A token is 28 lower-case characters: lower case, because relays fold the case of local parts; 28, because a
local part ends at 64 octets (RFC 5321 4.5.3.1.1). The same number gives the same token, and it never expires:
the link in a mail of last year still works. Keys that no longer sign still verify.

A tour: `ring` has the secrets and their file; `signed` makes and reads tokens; `copies` makes the three of a
copy at once, for sending; `links` has the links that do expire.
"""

from digest.tokens.copies import copy_signer
from digest.tokens.links import open_preview_link, preview_link
from digest.tokens.ring import KeyRing
from digest.tokens.signed import LENGTH, Purpose, inert, is_inert, sign, verify

__all__ = [
    "LENGTH",
    "KeyRing",
    "Purpose",
    "copy_signer",
    "inert",
    "is_inert",
    "open_preview_link",
    "preview_link",
    "sign",
    "verify",
]
