"""The MIME message, compiled once per edition variant; each reader's values are spliced in.

A tour, in the order of the work: `frame` holds what stands around the content (sender, date, links);
`address` checks mailboxes; `headers` writes and folds header fields; `head` has all of a message; `slots`
finds the slots of a template and escapes their values for the place where they stand; `transfer` is
quoted-printable with a line of its own for every slot; `content` is the tree of parts, with attachments and
pictures; `filling` joins what is constant; `dkim` signs; `compiled` puts it together, and for each recipient
only joins bytes; `composer` does that for many at once; `clipping` is about the size at which Gmail cuts a
message off.

Per recipient nothing is parsed, rendered or encoded but that reader's own values.
"""

from digest.compose.address import domain as host_name
from digest.compose.address import mailbox
from digest.compose.clipping import CLIPPED_AT, Clipping, clipping
from digest.compose.compiled import Compiled, Compose, Copy, CopyTokens, compile_message
from digest.compose.composer import Composer
from digest.compose.content import Enclosure, content_id
from digest.compose.dkim import SigningKey, sign_message
from digest.compose.frame import Frame, message_id, return_path, return_path_domain

__all__ = [
    "CLIPPED_AT",
    "Clipping",
    "Compiled",
    "Compose",
    "Composer",
    "Copy",
    "CopyTokens",
    "Enclosure",
    "Frame",
    "SigningKey",
    "clipping",
    "compile_message",
    "content_id",
    "host_name",
    "mailbox",
    "message_id",
    "return_path",
    "return_path_domain",
    "sign_message",
]
