"""Between the rows of an edition and `digest.model.Edition`."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from digest.edition import (
    decode_choices,
    decode_left_out,
    decode_sender,
    decode_story,
    encode_choices,
    encode_left_out,
    encode_sender,
    encode_story,
)
from digest.model import Edition, EditionState, Period, Variant, Window
from digest.store.tables import edition, edition_media, edition_story, media, template_copy, variant


def read_editions(connection: sa.Connection, query: sa.Select[Any], *, content: bool = True) -> list[Edition]:
    """The editions of a query over the table `edition`, in its order.

    Without `content` they come as for a list: no stories, nothing left out, no variants.
    """
    if not content:
        # Long, and asked for every few seconds by the schedule.
        query = query.with_only_columns(*(each for each in edition.c if each is not edition.c.left_out))
    rows = connection.execute(query).all()
    ids = [row.id for row in rows] if content else []
    stories = _grouped(
        connection,
        sa.select(edition_story.c.edition, edition_story.c.content)
        .where(edition_story.c.edition.in_(ids))
        .order_by(edition_story.c.edition, edition_story.c.position),
    )
    variants = _grouped(
        connection,
        sa.select(variant.c.edition, variant)
        .where(variant.c.edition.in_(ids))
        .order_by(variant.c.edition, variant.c.key),
    )
    return [_edition(row, stories.get(row.id, ()), variants.get(row.id, ()), content=content) for row in rows]


def _grouped(connection: sa.Connection, query: sa.Select[Any]) -> dict[int, list[sa.Row[Any]]]:
    """Rows by their first column, by which they are in order."""
    rows = connection.execute(query)
    return {key: list(group) for key, group in itertools.groupby(rows, key=lambda row: row[0])}


def _edition(
    row: sa.Row[Any], stories: Sequence[sa.Row[Any]], variants: Sequence[sa.Row[Any]], *, content: bool
) -> Edition:
    return Edition(
        id=row.id,
        newsletter=row.newsletter,
        number=row.number,
        period=Period(
            start_date=dt.date.fromisoformat(row.start_date),
            window=Window(row.window_start, row.window_end),
            build_at=row.build_at,
            lock_at=row.lock_at,
            send_at=row.send_at,
        ),
        state=EditionState(row.state),
        stories=tuple(decode_story(each.content) for each in stories),
        left_out=tuple(decode_left_out(each) for each in row.left_out or ()) if content else (),
        variants=tuple(Variant(v.key, v.subject, v.html, v.text, v.nonce) for v in variants),
        hash=row.hash,
        approved_hash=row.approved_hash,
        approved_by=row.approved_by,
        held=row.held,
        paused=row.paused,
        subject=row.subject,
        preheader=row.preheader,
        intro=row.intro,
        date=row.date,
        sender=None if row.sender is None else decode_sender(row.sender),
        key_id=row.key_id,
        metric=row.metric,
        choices=decode_choices(row.choices),
        policy=row.policy or {},
        told=row.told is not None,
        released=row.released,
        departed=row.departed,
        started=row.started,
        finished=row.finished,
    )


def period_values(period: Period) -> dict[str, Any]:
    """The columns of a period."""
    return {
        "start_date": period.start_date.isoformat(),
        "window_start": period.window.start,
        "window_end": period.window.end,
        "build_at": period.build_at,
        "lock_at": period.lock_at,
        "send_at": period.send_at,
    }


def content_values(made: Edition) -> dict[str, Any]:
    """The columns of what an edition says, as opposed to how it stands.

    Raises ValueError for a Date with a fraction of a second: it would come back as another, and the hash over
    it would never match again.
    """
    if made.date is not None and made.date.microsecond:
        raise ValueError(f"the Date of an edition has whole seconds, not {made.date}")
    return {
        "date": made.date,
        "subject": made.subject,
        "preheader": made.preheader,
        "intro": made.intro,
        "sender": None if made.sender is None else encode_sender(made.sender),
        "policy": dict(made.policy),
        "metric": made.metric,
        "key_id": made.key_id,
        "choices": encode_choices(made.choices),
        "hash": made.hash,
        "left_out": [encode_left_out(each) for each in made.left_out],
    }


def write_content(
    connection: sa.Connection, made: Edition, templates: Mapping[str, str], pictures: Iterable[str]
) -> None:
    """Replaces the stories, variants, template copies and pictures of the edition `made.id`."""
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        edition_story: [
            {"position": each.position, "story": each.story.id, "content": encode_story(each)}
            for each in made.stories
        ],
        variant: [
            {"key": v.key, "subject": v.subject, "html": v.html, "text": v.text, "nonce": v.nonce}
            for v in made.variants
        ],
        template_copy: [{"name": name, "content": content} for name, content in templates.items()],
        edition_media: [{"hash": name} for name in _kept(connection, pictures)],
    }
    for table, values in rows.items():
        connection.execute(table.delete().where(table.c.edition == made.id))
        if values:
            connection.execute(table.insert(), [{"edition": made.id, **value} for value in values])


def _kept(connection: sa.Connection, pictures: Iterable[str]) -> list[str]:
    """Those that there are: an address that only looks like one of our pictures is no reason to fail."""
    kept = sa.select(media.c.hash).where(media.c.hash.in_(set(pictures)))
    return list(connection.execute(kept).scalars())


def only(newsletter: str = "", states: Iterable[EditionState] | None = None) -> sa.Select[Any]:
    """The editions of one newsletter, or of all, in some states, or in any; newest period first."""
    query = sa.select(edition).order_by(edition.c.window_start.desc(), edition.c.id.desc())
    if newsletter:
        query = query.where(edition.c.newsletter == newsletter)
    if states is not None:
        query = query.where(edition.c.state.in_([state.value for state in states]))
    return query
