"""An edition as it will arrive, made by the code that sends, with tokens that do nothing."""

from __future__ import annotations

from dataclasses import dataclass
from email import policy
from email.parser import BytesParser
from pathlib import Path
from zoneinfo import ZoneInfo

from digest.compose import content_id
from digest.errors import ConfigError, EditionError
from digest.model import Edition, EditionState, Message, Recipient, Variant
from digest.render.page import Shown, preview_page
from digest.tokens import Purpose, inert
from digest.work.composer import compiled, enclosed, signing_keys
from digest.work.desk import Desk
from digest.work.meanwhile import changed_headings
from digest.work.own_pictures import own_pictures

_STATES = {
    EditionState.draft: "Draft",
    EditionState.approved: "Approved",
    EditionState.fanning: "Being sent",
    EditionState.sending: "Being sent",
    EditionState.finished: "Sent",
    EditionState.skipped: "Skipped",
    EditionState.cancelled: "Cancelled",
    EditionState.failed: "Stopped by an error",
}


def state_words(edition: Edition) -> str:
    """Where an edition stands, in one or two words; a flag speaks before the state beneath it."""
    if edition.held and edition.state is not EditionState.skipped:
        return "On hold"
    if edition.paused:
        return "Paused"
    return _STATES[edition.state]


@dataclass(frozen=True, slots=True)
class Preview:
    """One copy, taken apart. `eml` is the whole message as it would leave; `html` names every picture by its
    address, also one that is in the mail."""

    edition: Edition
    variant: Variant
    reader: str
    html: str
    text: str
    eml: bytes
    headers: tuple[tuple[str, str], ...]


def preview(desk: Desk, edition: Edition, *, address: str, name: str = "") -> Preview:
    """What `address` would receive. Raises `EditionError` for an edition without content."""
    if not edition.variants:
        raise EditionError(
            edition.name,
            f"has no content yet{': ' + edition.held if edition.held else ''}",
            hint=f"Build it: digest edition build {edition.newsletter}",
        )
    variant = edition.variants[0]
    message = inert_copy(desk, edition, address=address, name=name)
    parsed = BytesParser(policy=policy.default).parsebytes(message.content)
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert text is not None
    assert html is not None
    return Preview(
        edition=edition,
        variant=variant,
        reader=address,
        html=_linked(desk, edition, html.get_content()),
        text=text.get_content(),
        eml=message.content,
        headers=tuple((key, str(value)) for key, value in parsed.items()),
    )


def _linked(desk: Desk, edition: Edition, html: str) -> str:
    """The HTML with addresses in place of pictures that are in the mail: a browser has no mail to look in."""
    for enclosure in enclosed(desk, edition):
        if enclosure.url:
            html = html.replace(f"cid:{content_id(enclosure, desk.frame(edition).sender)}", enclosure.url)
    return html


def inert_copy(desk: Desk, edition: Edition, *, address: str, name: str = "") -> Message:
    """One copy for `address` whose links change nothing: an editor's click unsubscribes nobody.

    Where a key is missing it is shown without a signature; `warnings` says so.
    """
    keys = () if _key_problem(desk, edition) else signing_keys(desk, edition)
    return compiled(desk, edition, edition.variants[0], keys).message(
        Recipient(delivery=0, subscription=0, address=address, name=name),
        leave=inert(Purpose.leave),
        bounce=inert(Purpose.bounce),
        message=inert(Purpose.message),
    )


def write(desk: Desk, shown: Preview, folder: Path) -> Path:
    """Writes index.html, digest.html, digest.txt and digest.eml, and the pictures that this installation
    serves; returns the path of index.html.

    digest.html, digest.txt and digest.eml are exactly what leaves; the page shows copies that find their
    pictures beside it, so that it can be looked at while nothing is served.
    """
    edition, settings = shown.edition, desk.newsletter(shown.edition.newsletter)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = _write_pictures(desk, edition, folder)
    zone = ZoneInfo(settings.zone)
    date = desk.frame(edition).date.astimezone(zone).strftime("%a %d %b %Y %H:%M %Z")
    flags = [f"{word}: {why}" for word, why in (("On hold", edition.held), ("Paused", edition.paused)) if why]
    headers = shown.eml.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").replace("\r\n", "\n")
    page = preview_page(
        [Shown(shown.html, shown.text, headers, shown.variant.key, len(shown.eml))],
        newsletter=settings.name,
        edition=edition.name,
        subject=edition.subject,
        preheader=edition.preheader,
        sender=f"{edition.sender.name} <{edition.sender.address}>" if edition.sender else "",
        date=date,
        reader=shown.reader,
        state=state_words(edition),
        warnings=[*flags, *warnings(desk, edition)],
        media=lambda url: pictures.get(url, url),
    )
    for name, content in (
        ("digest.html", shown.html.encode()),
        ("digest.txt", shown.text.encode()),
        ("digest.eml", shown.eml),
        ("index.html", page.encode()),
    ):
        (folder / name).write_bytes(content)
    return folder / "index.html"


def warnings(desk: Desk, edition: Edition) -> list[str]:
    """What an editor should know before it leaves: from when it was made, and from its sources since."""
    found = str(edition.policy.get("warnings") or "").splitlines()
    found += [problem] if (problem := _key_problem(desk, edition)) else []
    return [each[:1].upper() + each[1:] for each in found] + changed_headings(desk, edition)


def _key_problem(desk: Desk, edition: Edition) -> str:
    """Why it could not leave signed as it should be; without paths, because the preview is a page."""
    try:
        signing_keys(desk, edition)
    except ConfigError as error:
        return f"it cannot leave: {error.problem}"
    return ""


def _write_pictures(desk: Desk, edition: Edition, folder: Path) -> dict[str, str]:
    """Own pictures of the edition into ``media/``; their address -> where they lie, seen from the page."""
    places = {}
    for url, frozen in own_pictures(edition).items():
        kept = desk.stories.media(frozen)
        if kept:
            content, media_type = kept
            name = f"{frozen}.{media_type.rpartition('/')[2]}"
            (folder / "media").mkdir(exist_ok=True)
            (folder / "media" / name).write_bytes(content)
            places[url] = f"media/{name}"
    return places
