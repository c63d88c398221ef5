"""What an SMTP reply means: one table of rules, for delivery now and for returned mail later.

Status codes alone do not decide. "554 5.7.1 Relay access denied" and "550 5.7.1 mailbox unavailable" carry
the same status, but the first is about our own set-up, said of every recipient alike, and must never count
against one of them; the second is about one mailbox. So `rules` is a table of words, statuses and codes, the
most telling first; `words` says how its phrases are looked for; `waits` reads "try again in N"; `meaning`
is the one question that others ask.

Pure: no clock, no network. An accepted copy asks nothing; a refusal costs some tens of microseconds, however
long the server's text is.
"""

from digest.replies.meaning import Meaning, enhanced_status, meaning
from digest.replies.rules import RULES, Rule
from digest.replies.subject import About, Counts
from digest.replies.waits import wait_asked

__all__ = ["RULES", "About", "Counts", "Meaning", "Rule", "enhanced_status", "meaning", "wait_asked"]
