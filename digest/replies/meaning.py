"""The answer to "what does this refusal mean?", and the one place that gives it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from digest.replies import rules, words
from digest.replies.subject import About, Counts
from digest.replies.waits import wait_asked


@dataclass(frozen=True, slots=True)
class Meaning:
    """`about` holds for what the relay itself answers. In returned mail the one who refuses is somebody
    else's server: there `counts` is what matters."""

    about: About
    wait: dt.timedelta | None = None
    """"Try again in N", where the reply says so."""
    hint: str = ""
    """What the operator can do, for replies about the run or the content."""
    counts: Counts = Counts.nothing
    reason: str = ""
    """In two or three words, for summaries: "no such mailbox"."""
    pause: dt.timedelta | None = None
    """Advice: nothing further through this relay for so long, whatever else is done."""
    slow_start: bool = False
    """Advice: after the pause one copy at a time, then one more at a time."""


def enhanced_status(text: str) -> str:
    """The RFC 3463 status at the beginning of a reply's text, such as "5.1.1"; "" where there is none."""
    return words.status_at_start(text)


def meaning(code: int, text: str, enhanced: str = "", at: str = "") -> Meaning:
    """What a refusal (4xx or 5xx) means.

    `enhanced` is read from the text where it is not given. `at` is the command that was refused
    (`Outcome.at`); one before RCPT, such as "MAIL" or "AUTH", is refused to us.
    """
    plain, inside = words.read(text)
    status = enhanced or words.status_at_start(text)
    statuses = (status, *inside) if status else inside
    rule = rules.first_fitting(code, statuses, plain, at)
    wait = wait_asked(text)
    reason = rule.reason or (f"refused with {code}" if code else "refused")
    if rule.about is About.recipient and at not in ("RCPT", "DATA", "text", ""):
        # Nobody was named yet (RFC 5321 3.3): whatever is refused here is refused to us.
        return Meaning(About.run, wait, rules.SENDER, reason=reason)
    return Meaning(
        rule.about,
        wait,
        rule.hint,
        rule.counts_for(code, statuses[0] if statuses else ""),
        reason,
        rule.pause,
        rule.pause is not None,
    )
