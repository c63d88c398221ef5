"""The MIME message, compiled once per edition variant; each reader's values are spliced in.

A tour, in the order of the work: `frame` holds what stands around the content (sender, date, links);
`address` checks mailboxes; `headers` writes and folds header fields; `slots` finds the slots of a template
and escapes their values for the place where they stand; `transfer` is quoted-printable with a line of its own
for every slot; `compiled` puts the parts together, and for each recipient only joins bytes; `clipping` is
about the size at which Gmail cuts a message off.

Per recipient nothing is parsed, rendered or encoded but that reader's own values. Signatures and inline
pictures have their place in `compiled`: the one prepends a header field, the other wraps the alternative.
"""

from digest.compose.address import mailbox
from digest.compose.clipping import CLIPPED_AT, Clipping, clipping
from digest.compose.compiled import Compiled, Copy, compile_message
from digest.compose.frame import Frame, message_id, return_path, return_path_domain

__all__ = [
    "CLIPPED_AT",
    "Clipping",
    "Compiled",
    "Copy",
    "Frame",
    "clipping",
    "compile_message",
    "mailbox",
    "message_id",
    "return_path",
    "return_path_domain",
]
