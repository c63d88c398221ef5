"""Pictures that this installation keeps and serves itself: known by the end of their address."""

from __future__ import annotations

import re

from digest.model import Edition

_OWN = re.compile(r"/media/([0-9a-f]{64})\Z")


def own_pictures(edition: Edition) -> dict[str, str]:
    """The addresses of those in its stories, and the hashes that they are kept under."""
    urls = [each.story.picture.url for each in edition.stories if each.story.picture]
    return {url: found[1] for url in urls if (found := _OWN.search(url))}
