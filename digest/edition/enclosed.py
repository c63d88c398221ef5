"""What an edition encloses with every copy: noted in its policy, and kept by the hashes that it froze.

The hashes stand beside those of its pictures, so that the manifest has them; an edition that encloses nothing
has the manifest that it always had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from digest.model import Edition

Policy = dict[str, str | int | float | bool | None]
_ATTACHMENTS, _INLINE = "attachments", "inline_pictures"


def with_enclosures(
    policy: Mapping[str, str | int | float | bool | None],
    attachments: Sequence[tuple[str, str]],
    *,
    inline_pictures: bool,
) -> Policy:
    """The policy with these attachments (names and hashes) noted, and none that it had before."""
    noted = {key: value for key, value in policy.items() if key not in (_ATTACHMENTS, _INLINE)}
    if attachments:
        noted[_ATTACHMENTS] = json.dumps([list(each) for each in attachments])
    if inline_pictures:
        noted[_INLINE] = True
    return noted


def attachments_of(edition: Edition) -> list[tuple[str, str]]:
    """Names and hashes, in the order of the configuration."""
    noted = edition.policy.get(_ATTACHMENTS)
    return [(name, frozen) for name, frozen in json.loads(str(noted))] if noted else []


def has_inline_pictures(edition: Edition) -> bool:
    return bool(edition.policy.get(_INLINE))
