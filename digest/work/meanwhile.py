"""What sources did since an edition was made: they are looked at until it leaves.

A story that was withdrawn holds the edition; a heading that was changed is offered to the editor.
"""

from __future__ import annotations

from digest.model import Edition, EditionState
from digest.work.desk import Desk


def changed_headings(desk: Desk, edition: Edition) -> list[str]:
    """For each story whose source words it anew: where it stands, its new heading, and how to take it."""
    if edition.state is EditionState.draft:
        way = f"digest edition build {edition.newsletter} --rebuild"
    elif edition.state is EditionState.approved:
        way = f'digest edition set {edition.name} --subject "..." makes the edition anew'
    else:
        return []
    now = desk.stories.get_many(each.story.id for each in edition.stories)
    return [
        f"Number {each.position} has another heading at its source now: "
        f"“{now[each.story.id].title}”. To take it: {way}"
        for each in edition.stories
        if each.story.id in now and now[each.story.id].title != each.story.title
    ]


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
    told = "; ".join(
        f"#{story.id} “{story.title[:60]}”" + (f" (hidden: {story.hidden})" if story.hidden else "")
        for story in stories
    )
    were = "story was" if len(stories) == 1 else "stories were"
    by = "hidden by an editor" if all(story.hidden for story in stories) else "withdrawn by the source"
    return (
        f"{len(stories)} {were} {by}: {told}. Leave it out "
        f"(digest edition exclude {edition.name} {stories[0].id}) and release the edition, "
        f"or release it as it is (digest edition release {edition.name})."
    )
