"""Stories and signals from outside: read, cleaned, and handed on as drafts and readings.

A tour, in the order in which a document travels: `fetch` gets it, `reach` and `robots` say whether it may;
`form` tells what it is, `stories` hands it on; `feed` and `entry` read RSS, Atom and RDF, `jsonfeed` and
`sitemap` what they are called, all through `collect`; `table` reads CSV, `objects` JSON and JSONL, `rows`
both, `columns` says what a column means, `figures` which are popularity; `page` and `jsonld` read what a
story's page says of itself, `kinds` what it is; `draft` makes a story of the fields, with `body` and
`paragraphs` for its text, `furniture` for what is not its text, `clean`, `links` and `dates` for the rest;
`signals` does the same for readings, and `logs` makes readers of access logs. Whatever cannot be used becomes
a `Rejected` with the row and the reason: nothing is lost in silence.
"""

from digest.importers.clean import canonical_url, plain
from digest.importers.context import Context
from digest.importers.feed import read_feed
from digest.importers.imported import Imported, Rejected
from digest.importers.rows import read_table
from digest.importers.signals import read_readings
from digest.importers.stories import read_stories

__all__ = [
    "Context",
    "Imported",
    "Rejected",
    "canonical_url",
    "plain",
    "read_feed",
    "read_readings",
    "read_stories",
    "read_table",
]
