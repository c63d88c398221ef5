"""What stands around an edition's content: who sends it, when, and where its links lead."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from digest.compose import headers
from digest.compose.address import domain, mailbox
from digest.model import Sender

TOKEN_LENGTH = 40
"""Most characters of a token; those of this installation have 28."""
_LIST_ID = re.compile(r"(?=.{3,255}\Z)[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)+")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_NOT_IN_FEEDBACK_ID = re.compile(r"[^A-Za-z0-9._-]+")
_URL_SAFE = "!#$&'()*+,-./:;=?@_~%"
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Frame:
    """The same for every variant and every copy of an edition.

    `newsletter` is its slug, `edition_name` as `Edition.name`; `title` is the newsletter's name for readers
    (in List-Id); `list_id` "" means SLUG.DOMAIN; `date` is the Date of each copy, in whatever zone it should
    be shown; `language` "" leaves Content-Language out. A value that cannot stand in its header field raises
    ValueError (or AddressError) when a message is compiled.
    """

    sender: Sender
    newsletter: str
    list_id: str
    site_url: str
    date: dt.datetime
    edition_name: str
    title: str = ""
    language: str = ""

    def leave_url(self, token: str) -> str:
        return f"{leave_prefix(self.site_url)}{checked_token('leave', token)}"

    def constant_fields(self) -> tuple[list[str], list[str]]:
        """The fields that are equal in every copy: those before To, and those after Subject."""
        sender = self.sender
        host = sender_domain(sender)
        before = [headers.named("From", sender.name, f"<{mailbox(sender.address)}>")]
        after = [f"Date: {headers.date(self.date)}"]
        if sender.reply_to:
            after.append(f"Reply-To: {mailbox(sender.reply_to)}")
        list_id = self.list_id or f"{self.newsletter}.{host}"
        if not _LIST_ID.fullmatch(list_id):
            raise ValueError(f"list_id: {list_id!r} is not of the form name.domain (RFC 2919)")
        after.append(headers.named("List-Id", self.title, f"<{list_id}>"))
        after.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
        after.append(f"Feedback-ID: {self._feedback_id(host)}")
        after += ["Auto-Submitted: auto-generated", "Precedence: bulk"]
        if sender.complaints:
            after.append(f"CFBL-Address: {mailbox(sender.complaints)}; report=arf")  # RFC 9477 5.1
        if self.language:
            if not _LANGUAGE.fullmatch(self.language):
                raise ValueError(f"language: {self.language!r} is not a language tag (RFC 5646)")
            after.append(f"Content-Language: {self.language}")
        return before, after

    def _feedback_id(self, host: str) -> str:
        """edition:newsletter:kind:sender as Gmail's Feedback Loop wants it; the last has 5-15 characters."""
        edition = self.edition_name.rpartition("/")[2]
        sender_id = re.sub(r"[^a-z0-9]", "", host.lower())[:15].ljust(5, "0")
        parts = (edition, self.newsletter, "digest", sender_id)
        return ":".join(_NOT_IN_FEEDBACK_ID.sub("-", part) for part in parts)


def message_id(sender: Sender, token: str) -> str:
    """The Message-ID of the copy whose message token this is, with its angle brackets."""
    return f"<{checked_token('message', token)}@{sender_domain(sender)}>"


def return_path(sender: Sender, token: str) -> str:
    """The envelope sender of the copy whose bounce token this is (VERP)."""
    return f"bounce+{checked_token('bounce', token)}@{return_path_domain(sender)}"


def sender_domain(sender: Sender) -> str:
    """The domain of From in A-labels: that of Message-ID too."""
    return mailbox(sender.address).rpartition("@")[2]


def return_path_domain(sender: Sender) -> str:
    """Where bounces and mailed requests to leave go; without a setting, the domain of From."""
    return domain(sender.return_path_domain) if sender.return_path_domain else sender_domain(sender)


def checked_token(field: str, token: str) -> str:
    """The token unchanged. Raises ValueError for one that could not stand in a URL or a local part.

    At most 40 letters and digits: with "bounce+" a local part has at most 64 octets (RFC 5321 4.5.3.1.1).
    """
    if token.isalnum() and token.isascii() and len(token) <= TOKEN_LENGTH:
        return token
    raise ValueError(f"{field}: {token!r} is not a token of at most {TOKEN_LENGTH} letters and digits")


def leave_prefix(site_url: str) -> str:
    """What stands before the token in a link for leaving: an absolute http(s) URL in ASCII ending in /u/.

    Characters that a URL cannot have are percent-encoded, the host becomes A-labels. Raises ValueError for
    anything but scheme, host, port and path.
    """
    headers.refuse_breaks("site_url", site_url)
    try:
        parts = urlsplit(site_url.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"site_url: {site_url!r}: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"site_url: {site_url!r} does not begin with https:// and a host")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"site_url: {site_url!r} has more than a host, a port and a path")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else domain(parts.hostname)
    path = quote(_STRAY_PERCENT.sub("%25", parts.path.rstrip("/")), safe=_URL_SAFE)
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{path}/u/"
