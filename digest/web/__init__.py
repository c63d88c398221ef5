"""The pages of `digest serve`.

    site         puts the pages together; error pages; what a store that is busy means for a visitor
    leave        /u/TOKEN: the page for leaving, the one-click POST of RFC 8058, undo
    editions     / and /e/NEWSLETTER/DATE: the web version of what was sent
    preview      /preview/SIGNED: the coming edition for editors, read-only
    facts        /media, /static, /health, /.well-known: what machines ask for
    pages        HTML from templates/web
    server       runs them until it is asked to stop
    guard        headers of every answer, the size of a body, how often one link may act

Handlers are synchronous and run in threads: no database call is ever made on the event loop.
"""

from __future__ import annotations

from digest.web.site import create_app

__all__ = ["create_app"]
