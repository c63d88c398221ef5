"""Who wants which newsletter, how they said so, and who must never be written to.

This is the package's only door; it knows nothing of `digest`.
"""

from __future__ import annotations

from subscribers.tables import Tables, define_tables

__all__ = ["Tables", "define_tables"]
