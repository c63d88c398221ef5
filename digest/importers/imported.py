"""What every importer hands over beside the stories themselves: what it could not use, and why."""

from __future__ import annotations

from dataclasses import dataclass

from digest.model import StoryDraft


@dataclass(frozen=True, slots=True)
class Rejected:
    """An entry or a row that did not become anything. `row` counts as a person would.

    In a table the first line of the file is row 1; in a feed the first entry is. `item` names it (title, id
    or link), `content` is the row as it was read, for mending it by hand.
    """

    row: int
    item: str
    reason: str
    content: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """A document read as a whole. Every entry of it is in `drafts` or in `rejected`."""

    drafts: tuple[StoryDraft, ...]
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()
    """What was found odd and how it was handled, in sentences."""
