"""Makes an edition and lets an editor change it. The schedule and people use the same functions.

An edition is made in one go from what the store knows: rank, freeze, render, hash, save. An edit of a draft
is the same with other choices or other words, so that there is one way in which content comes about.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import mimetypes
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from digest import edition as editing
from digest.compose import Clipping, clipping, compile_message
from digest.config import Newsletter
from digest.config.durations import format_duration
from digest.edition import (
    Action,
    attachments_of,
    check,
    content_hash,
    default_preheader,
    default_subject,
    freeze,
    with_enclosures,
)
from digest.errors import ConfigError, EditionError, UsageError
from digest.model import Choices, Edition, EditionState, Period, Recipient, Sender
from digest.ranking import rank
from digest.schedule import last_complete
from digest.work.composer import enclosed
from digest.work.desk import Desk
from digest.work.own_pictures import own_pictures

ATTACHMENTS = 5_000_000
"""Octets of all attachments together; base64 makes a third more of them, and many servers stop at 10 MB."""
LARGE, LARGEST = 1_000_000, 10_000_000
"""Octets of a whole copy: from the first on editors are told, beyond the second many servers refuse it."""
TOO_LARGE = (
    "Each copy has {:.1f} MB, and many servers take no more than 10: leave attachments out, or link the "
    "pictures (inline_pictures in config.toml), or send it all the same (digest edition release)."
)
LARGE_COPY = (
    "each copy has {:.1f} MB, with its attachments and pictures: it takes long to send and to receive"
)
CLIPPED = (
    "Its HTML is longer than the 102 kB that Gmail shows: readers there would not see its end, nor the link "
    "for leaving. Show fewer stories (count in config.toml, or digest edition exclude), shorten the "
    "introduction, or send it all the same (digest edition release)."
)
"""Why an edition of that size is held (EMAIL 8: refused unless an editor overrides)."""


def period_at(desk: Desk, slug: str, at: dt.datetime) -> Period:
    """The scheduled period that was last complete at `at`; never one that overlaps an edition there is."""
    complete = (
        each.period
        for each in desk.editions.list_(slug, content=False)
        if each.period.window.end <= at and each.state is not EditionState.cancelled
    )
    return last_complete(desk.schedule(slug), at, previous=next(complete, None))


def build(desk: Desk, slug: str, period: Period, *, by: str) -> Edition:
    """The edition of a period: made now, or as it is when there is one already.

    It comes out as a draft; held, with the reason and the way out, when it should not be sent as it is.
    `EditionError` when somebody else was faster; `TemplateError` leaves no edition behind.
    """
    now = desk.clock.now()
    desk.editions.ensure_newsletter(slug, since=now)
    existing = desk.editions.for_period(slug, period.start_date)
    if existing is not None:
        return existing
    empty = Edition(
        id=0,
        newsletter=slug,
        number=desk.editions.next_number(slug),
        period=period,
        state=EditionState.draft,
        key_id=desk.keys.current,
    )
    made, templates = _made(desk, empty, now)
    return desk.editions.create(made, templates=templates, pictures=_pictures(desk, made), at=now, by=by)


def rebuild(desk: Desk, edition: Edition, *, by: str) -> Edition:
    """Makes a draft anew from what the store knows now, with the editor's choices and words kept; and an
    edition for a period that was skipped."""
    check(edition, Action.build)
    if edition.state is EditionState.skipped:
        desk.editions.cancel(edition.id, at=desk.clock.now(), by=by, reason="built after all")
        return build(desk, edition.newsletter, edition.period, by=by)
    return _again(desk, edition, edition, by=by, action="rebuild")


def held_by_program(edition: Edition) -> bool:
    """Whether what holds it is what was found wrong with it when it was made, and not a person's word."""
    return bool(edition.held) and edition.held == edition.policy.get("hold")


def look_again(desk: Desk, edition: Edition, *, by: str) -> Edition | None:
    """Makes a draft anew that the program itself holds, once nothing is wrong with it any more.

    None while something is: then nothing is changed. Its editors, who were told that it is held, count as
    not told.
    """
    made, templates = _made(desk, edition, desk.clock.now())
    if made.held:
        return None
    return _save(desk, edition, made, templates, by=by, action="rebuild", tell_again=True)


def choose(
    desk: Desk, edition: Edition, action: Action, change: Callable[[Choices], Choices], *, by: str
) -> Edition:
    """Ranks again with changed choices. An approved edition becomes a draft: other content was approved."""
    check(edition, action)
    changed = replace(edition, choices=change(edition.choices))
    return _again(desk, edition, changed, by=by, action=action.value)


def move(desk: Desk, edition: Edition, story: int, position: int, *, by: str) -> Edition:
    """Puts a story of the list at a position. Raises `UsageError` for a story that is not in it."""
    picks = [each.story.id for each in edition.stories]
    if story not in picks:
        raise UsageError(
            f"story {story} is not in {edition.name}",
            hint=f"To put it in: digest edition pin {edition.name} {story} --position {position}",
        )
    return choose(desk, edition, Action.move, lambda c: editing.move(c, picks, story, position), by=by)


def set_words(desk: Desk, edition: Edition, words: Mapping[str, str], *, by: str) -> Edition:
    """Sets subject, preheader or introduction; "" goes back to what is made of the headings.

    Raises `UsageError` for a subject that pretends to be an answer.
    """
    check(edition, Action.set)
    if editing.ANSWER.match(words.get("subject", "")):
        raise UsageError(
            f"the subject {words['subject']!r} looks like that of an answer or of forwarded mail",
            hint="Large mailbox providers refuse such newsletters: begin it with another word.",
        )
    own = {f"own_{key}": bool(value) for key, value in words.items()}
    changed = replace(
        edition,
        subject=words.get("subject", edition.subject),
        preheader=words.get("preheader", edition.preheader),
        intro=words.get("intro", edition.intro),
        policy={**edition.policy, **own},
    )
    return _again(desk, edition, changed, by=by, action="set")


def approve(desk: Desk, edition: Edition, *, by: str) -> Edition:
    """Approves exactly this content: `EditionError` when it was changed since it was read."""
    check(edition, Action.approve)
    return desk.editions.approve(edition.id, edition.hash, at=desk.clock.now(), by=by)


def _again(desk: Desk, before: Edition, changed: Edition, *, by: str, action: str) -> Edition:
    made, templates = _made(desk, changed, desk.clock.now())
    return _save(desk, before, made, templates, by=by, action=action)


def _save(
    desk: Desk,
    before: Edition,
    made: Edition,
    templates: Mapping[str, str],
    *,
    by: str,
    action: str,
    tell_again: bool = False,
) -> Edition:
    return desk.editions.save_content(
        made,
        before=before,
        templates=templates,
        pictures=_pictures(desk, made),
        action=action,
        at=desk.clock.now(),
        by=by,
        tell_again=tell_again,
    )


def _made(desk: Desk, edition: Edition, now: dt.datetime) -> tuple[Edition, Mapping[str, str]]:
    """The edition with everything frozen, and the template sources that made it."""
    settings = desk.newsletter(edition.newsletter)
    window = edition.period.window
    candidates, used = desk.stories.candidates(
        window,
        edition.newsletter,
        until=window.end,
        edition=edition.id or None,
        also=edition.choices.pinned,
    )
    ranking = rank(
        candidates, window, desk.ranking_settings(edition.newsletter), choices=edition.choices, used=used
    )
    stories = freeze(ranking)
    made = replace(
        edition,
        stories=stories,
        left_out=ranking.left_out,
        metric=ranking.metric,
        subject=edition.subject if edition.policy.get("own_subject") else default_subject(stories),
        preheader=edition.preheader if edition.policy.get("own_preheader") else default_preheader(stories),
        # A Date in the past looks like spam, one in the future too: it leaves at its time, or later.
        date=max(edition.period.send_at, now).replace(microsecond=0),
        sender=_sender(settings, desk.settings.site.url),
        variants=(),
        policy=with_enclosures(
            edition.policy, _attachments(desk, edition.newsletter), inline_pictures=settings.inline_pictures
        ),
    )
    templates: Mapping[str, str] = {}
    holds, warnings = [ranking.hold], ""
    if stories:
        rendered = desk.renderer(made).render(made, nonce=secrets.token_hex(8))
        made, templates = replace(made, variants=(rendered.variant,)), rendered.sources
        warnings = "\n".join(rendered.warnings)
        if clipping(rendered.sizes.html_personal) is Clipping.clipped:
            holds.append(CLIPPED)
        size = _size(desk, made)
        if size > LARGEST:
            holds.append(TOO_LARGE.format(size / 1e6))
        elif size > LARGE:
            warnings = "\n".join((warnings, LARGE_COPY.format(size / 1e6))).strip()
    hold = " ".join(each for each in holds if each)
    policy = {**made.policy, **_policy(settings), "hold": hold, "warnings": warnings}
    made = replace(made, policy=policy, held=_held(edition, hold))
    hashes = {name: hashlib.sha256(content.encode()).hexdigest() for name, content in templates.items()}
    return replace(
        made, hash=content_hash(made, hashes, pictures=_pictures(desk, made), policy=made.policy)
    ), templates


def _size(desk: Desk, edition: Edition) -> int:
    """Octets of a copy with everything in it.

    Raises `EditionError` for what could not be written as a message: found now, not as it leaves.
    """
    enclosures = tuple(enclosed(desk, edition))
    try:
        compiled = compile_message(edition.variants[0], desk.frame(edition), enclosures=enclosures)
        return len(compiled.composer(lambda *_: ("", "", ""))(Recipient(0, 0, "a@example.org")).content)
    except ValueError as error:
        raise EditionError(
            edition.name,
            f"cannot be written as a message: {error}",
            hint=f"Correct it in config.toml, site or newsletter.{edition.newsletter}.",
        ) from error


def _attachments(desk: Desk, slug: str) -> list[tuple[str, str]]:
    """Names of the configured files, and the hashes under which they are kept from now on."""
    kept, total = [], 0
    for number, file in enumerate(desk.newsletter(slug).attachments, 1):
        path, key = desk.settings.path(file), f"newsletter.{slug}.attachments[{number}]"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", key=key, found=str(path)) from None
        total += len(content)
        if total > ATTACHMENTS:
            raise ConfigError(
                "together the attachments are too large for mail",
                key=key,
                found=f"{total:,} bytes",
                allowed=f"at most {ATTACHMENTS:,}",
                hint="Put a link into the introduction instead.",
            )
        kept.append((path.name, desk.stories.put_media(content, _media_type(path.name))))
    return kept


def _media_type(name: str) -> str:
    """By its ending; without the system's own tables, so that it is the same everywhere."""
    guessed, packed = mimetypes.MimeTypes().guess_type(name)
    # Mail in mail must not be in base64 (RFC 2046 5.2.1).
    known = guessed and not packed and not guessed.startswith(("message/", "multipart/"))
    return guessed if guessed and known else "application/octet-stream"


def _held(edition: Edition, hold: str) -> str:
    """The reason to hold it now. What a person said stays, and what a person released stays released."""
    before = edition.policy.get("hold", "")
    if edition.held and edition.held != before:
        return edition.held
    released = not edition.held and bool(before)
    return "" if released and hold == before else hold


def _policy(settings: Newsletter) -> dict[str, str]:
    return {
        "approval": settings.approval.value,
        "lateness": format_duration(settings.lateness),
        "uncertain": settings.uncertain,
    }


def _sender(settings: Newsletter, site_url: str) -> Sender:
    return Sender(
        name=settings.sender_name or settings.name,
        address=settings.sender,
        reply_to=settings.reply_to,
        return_path_domain=settings.return_path_domain,
        title=settings.name,
        list_id=settings.list_id,
        language=settings.language,
        zone=settings.zone,
        site_url=site_url,
        complaints=settings.complaints,
    )


def _pictures(desk: Desk, edition: Edition) -> list[str]:
    """Hashes of the attachments, and of the pictures that this installation serves itself, each once."""
    named = {*own_pictures(edition).values(), *(frozen for _, frozen in attachments_of(edition))}
    return sorted(desk.stories.kept_media(named))
