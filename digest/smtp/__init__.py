"""Speaks SMTP with the relay.

A tour. Pure, fed with bytes: `replies` reads what the server says; `capabilities` is what it offers and what
we want; `envelope` checks a message and writes its commands; `handshake` gets from the greeting to the
sign-in; `transactions` hands messages over; `session` is the whole conversation. Moving bytes: `relay` is one
server as configured, `access` gets its tokens; `connection` moves bytes between a socket and a session;
`client` is the transport over several of them; `examine` looks at a relay for `digest smtp test`.
"""

from digest.smtp.client import SmtpTransport
from digest.smtp.relay import is_loopback

__all__ = ["SmtpTransport", "is_loopback"]
