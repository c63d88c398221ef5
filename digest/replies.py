"""What an SMTP reply means: one table of rules, for delivery now and for returned mail later.

Status codes alone do not decide. "554 5.7.1 Relay access denied" and "550 5.7.1 mailbox unavailable" carry
the same status, but the first is about our own set-up, said of every recipient alike, and must never count
against one of them; the second is about one mailbox. The first rule whose codes and words fit is the answer.

Sources: RFC 5321 4.2 (reply codes), RFC 3463 (enhanced codes) and the wording of Postfix, Exim, Gmail, SES,
Mailgun and Exchange. Pure: no clock, no network.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum


class About(StrEnum):
    """Whose matter a reply is."""

    recipient = "recipient"
    """This address or this copy; its neighbours are not concerned."""
    connection = "connection"
    """This connection ends; another one may go on (421, RFC 5321 3.8)."""
    run = "run"
    """Us: the sender, the sign-in, a quota, what the relay lets us do. Every further copy would hear the
    same, so sending pauses and no recipient is judged by it."""


@dataclass(frozen=True, slots=True)
class Meaning:
    about: About
    wait: dt.timedelta | None = None
    """"Try again in N", where the reply says so."""
    hint: str = ""
    """What the operator can do, for replies about the run."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`codes` and `enhanced` are prefixes ("" fits all); `words` is searched in the text without case."""

    about: About
    codes: tuple[str, ...]
    enhanced: tuple[str, ...]
    words: re.Pattern[str] | None
    hint: str = ""

    def fits(self, code: str, enhanced: str, text: str) -> bool:
        return (
            (not self.codes or code.startswith(self.codes))
            and (not self.enhanced or enhanced.startswith(self.enhanced))
            and (self.words is None or self.words.search(text) is not None)
        )


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_OURS = r"(daily|hourly|monthly|sending|message|sender|account)"
_LIMIT = r"(quota|limit|rate)"

_QUOTA = "The relay's limit is reached: wait, lower what leaves at once, or ask the provider for more."
_SIGN_IN = "Check smtp.user, smtp.password_file and smtp.tls in config.toml."
_RELAY = (
    "The relay does not take mail for others from here: check smtp.host, and that the relay allows this "
    "machine (Postfix: mynetworks) or sign in with smtp.user."
)
_TALK = "The relay did not follow the conversation: look into its log for what it had before that."
_SENDER = "The relay does not take this sender: check the newsletter's sender and return_path_domain."

RULES: tuple[Rule, ...] = (
    # Sign-in.
    Rule(About.run, ("530", "534", "535", "538"), (), None, _SIGN_IN),
    Rule(
        About.run,
        ("4", "5"),
        (),
        _words(r"authentication (is )?required|must (issue|authenticate)|not authenticated"),
        _SIGN_IN,
    ),
    Rule(About.run, ("454",), (), _words("authentication"), _SIGN_IN),
    # The conversation itself went wrong (RFC 5321 4.2.2): no address can be judged by that.
    Rule(About.run, ("500", "502", "503"), (), None, _TALK),
    # A full mailbox speaks of a quota too: it is one recipient's, and has to be recognised before ours.
    Rule(About.recipient, ("4", "5"), ("4.2.2", "5.2.2"), None),
    Rule(
        About.recipient,
        ("4", "5"),
        (),
        _words(
            r"mailbox (is )?(full|over)|(recipient|user|mailbox|inbox)\b.{0,40}over ?quota|out of storage"
        ),
    ),
    # Our quota, our rate. X.4.5 is Gmail's daily limit, X.7.28 its rate limit for bulk mail.
    Rule(About.run, ("4", "5"), ("5.4.5", "4.4.5", "4.7.28", "5.7.28"), None, _QUOTA),
    Rule(
        About.run,
        ("4", "5"),
        (),
        _words(
            rf"{_OURS}\b.{{0,20}}\b{_LIMIT}\b.{{0,20}}(exceed|reach)"
            rf"|(exceed|reach)\w*\b.{{0,30}}\b{_OURS}\b.{{0,20}}\b{_LIMIT}"
            r"|throttl(ed|ing)|too many (messages|emails|mails) (sent|from)"
            r"|(account|sending) (is |has been )?(paused|suspended|disabled|blocked)"
        ),
        _QUOTA,
    ),
    # What the relay lets us do at all.
    Rule(
        About.run,
        ("4", "5"),
        (),
        _words(
            r"relay(ing)? (access )?(is )?(denied|not permitted|prohibited|not allowed)"
            r"|(unable|not permitted|not allowed) to relay|we do not relay"
        ),
        _RELAY,
    ),
    # The envelope sender: RFC 3463 X.1.7 and X.1.8, and the words of SES, Postfix and Exchange.
    Rule(About.run, ("5",), ("5.1.7", "5.1.8"), None, _SENDER),
    Rule(
        About.run,
        ("5",),
        (),
        _words(
            r"sender (address )?(is )?(rejected|not (verified|allowed|permitted|owned))"
            r"|email address is not verified|send-?as ?denied"
            r"|not (allowed|permitted|authori[sz]ed) to send (as|from)"
            r"|mail from .{0,40}not (verified|allowed)"
        ),
        _SENDER,
    ),
    # The size of the text, the same for everybody (RFC 3463 X.3.4).
    Rule(About.run, ("5",), ("5.3.4",), None, "The message is larger than the relay takes: fewer stories."),
    Rule(About.connection, ("421",), (), None),
)
"""In order: the first that fits is the answer. Nothing fits: the reply is about its recipient."""

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WAIT = re.compile(
    r"(?:try(?:ing)?|retry|again|back|grey ?listed|graylisted|deferred|wait|delayed)\b[^.;0-9]{0,30}?"
    r"(?:(?P<clock>\d{1,2}:\d{2}:\d{2})|(?P<number>\d{1,6})\s*"
    r"(?P<unit>s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)\b)",
    re.IGNORECASE,
)
_LONGEST_WAIT = dt.timedelta(days=7)


def enhanced_status(text: str) -> str:
    """The RFC 3463 status at the beginning of a reply's text, such as "5.1.1"; "" where there is none."""
    match = _ENHANCED.match(text)
    return match[1] if match else ""


def wait_asked(text: str) -> dt.timedelta | None:
    """How long a reply asks to wait before the next try; None where it does not say. At most seven days."""
    match = _WAIT.search(text)
    if match is None:
        return None
    if match["clock"]:
        hours, minutes, seconds = (int(part) for part in match["clock"].split(":"))
        wait = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    else:
        wait = dt.timedelta(seconds=int(match["number"]) * _UNITS[match["unit"][0].lower()])
    return min(wait, _LONGEST_WAIT) if wait else None


def meaning(code: int, text: str, enhanced: str = "") -> Meaning:
    """What a refusal (4xx or 5xx) means; `enhanced` is read from the text where it is not given."""
    status = enhanced or enhanced_status(text)
    wait = wait_asked(text)
    for rule in RULES:
        if rule.fits(str(code), status, text):
            return Meaning(rule.about, wait, rule.hint)
    return Meaning(About.recipient, wait)
