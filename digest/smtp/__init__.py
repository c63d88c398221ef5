"""Speaks SMTP with the relay.

`wire` reads replies; `connection` is one connection that blocks: greeting, TLS, sign-in, then message after
message, of each of which it knows whether the server can have taken it; `client` is the transport over
several of them, a thread for each.
"""

from digest.smtp.client import SmtpTransport
from digest.smtp.connection import is_loopback

__all__ = ["SmtpTransport", "is_loopback"]
