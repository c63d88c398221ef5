"""Who wants which newsletter, how they said so, and who must never be written to.

A tour: `address` checks addresses and folds spellings of one mailbox; `transfer` reads the lists that other
programs write; `intake` takes many people in at once; `store` keeps subscriptions, lets people leave and come
back, and offers the audience. This is the package's only door; it knows nothing of `digest`.
"""

from __future__ import annotations

from subscribers.address import NORMALISER_VERSION, NormalAddress, address_key, masked, normalise
from subscribers.errors import AddressRefused, ImportRefused, SubscriberError, TooLate, UnknownSubscription
from subscribers.model import (
    Counts,
    Entry,
    ImportReport,
    Rejected,
    Subscription,
    SubscriptionState,
    SuppressionReason,
    SuppressionReport,
)
from subscribers.store import UNDO_WITHIN, Connections, Subscribers
from subscribers.tables import Tables, define_tables
from subscribers.transfer import Listing, read_list

__all__ = [
    "NORMALISER_VERSION",
    "UNDO_WITHIN",
    "AddressRefused",
    "Connections",
    "Counts",
    "Entry",
    "ImportRefused",
    "ImportReport",
    "Listing",
    "NormalAddress",
    "Rejected",
    "SubscriberError",
    "Subscribers",
    "Subscription",
    "SubscriptionState",
    "SuppressionReason",
    "SuppressionReport",
    "Tables",
    "TooLate",
    "UnknownSubscription",
    "address_key",
    "define_tables",
    "masked",
    "normalise",
    "read_list",
]
