"""Sources are looked at until an edition leaves: a story that was withdrawn meanwhile holds it."""

from __future__ import annotations

from digest.model import Edition
from digest.work.desk import Desk


def withdrawn(desk: Desk, edition: Edition) -> str:
    """Why the edition has to wait for a person, and the way out; "" when all its stories still stand.

    Whoever released it after a withdrawal knew of that.
    """
    stories = [
        story
        for story in desk.stories.withdrawn_from(edition.id)
        if edition.released is None or story.withdrawn is None or story.withdrawn > edition.released
    ]
    if not stories:
        return ""
    told = "; ".join(f"#{story.id} “{story.title[:60]}”" for story in stories)
    were = "story was" if len(stories) == 1 else "stories were"
    return (
        f"{len(stories)} {were} withdrawn by the source: {told}. Leave it out "
        f"(digest edition exclude {edition.name} {stories[0].id}) and release the edition, "
        f"or release it as it is (digest edition release {edition.name})."
    )
