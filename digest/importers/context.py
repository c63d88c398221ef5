"""How a document with stories is to be understood: what its owner knows and the document does not say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from digest.importers.collect import Enrich
from digest.importers.figures import Figure, Measure
from digest.model import DateOrder, Metric, Reading


def unmeasured(metric: Metric, reading: Reading) -> None:
    """Where nobody wants figures."""
    del metric, reading


@dataclass(frozen=True, slots=True)
class Context:
    """How a document is to be understood.

    `base_url` resolves relative links; `section` and `language` are for stories that state none, `zone` for
    times without one; `mapped` is field -> columns as ``--map`` gave them.
    """

    name: str
    seen: dt.datetime
    base_url: str = ""
    content_type: str = ""
    section: str = ""
    language: str = ""
    zone: dt.tzinfo = dt.UTC
    mapped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    order: DateOrder | None = None
    """Of dates in numbers with the year last; None: decided from all of them."""
    columns: tuple[str, ...] = ()
    """The names of a CSV file's columns, where its first line is a row already."""
    encoding: str = ""
    """Of a CSV file that is neither Unicode nor Windows-1252."""
    records: str = ""
    """The dotted path of the list in a JSON document, where there are several."""
    link: str = ""
    """The address of a story that states none, made of its columns: ``https://paper.example/{id}``."""
    figures: tuple[Figure, ...] = ()
    """Columns with figures, which go to `measure`."""
    measure: Measure = unmeasured
    enrich: Enrich | None = None
