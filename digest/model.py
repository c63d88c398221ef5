"""The things the product is about, as frozen values; the words are those of docs/design.md.

What arrived (`StoryDraft`, `Reading`), what is kept (`Story`, `Edition`, `Delivery`) and what leaves
(`Message`, `Outcome`) are different types. Times are aware datetimes in UTC unless a name says local.
Nothing here touches clock, network, disk or randomness.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import NamedTuple

# --- time -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open period [start, end) of absolute time."""

    start: dt.datetime
    end: dt.datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window needs times with a zone")
        if self.end <= self.start:
            raise ValueError(f"a window ends after it starts: {self.start} .. {self.end}")

    def __contains__(self, moment: dt.datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def length(self) -> dt.timedelta:
        """Elapsed time: 167 or 169 hours in a week with a clock change."""
        return self.end.astimezone(dt.UTC) - self.start.astimezone(dt.UTC)


class DateOrder(StrEnum):
    """What comes first where a date is written with numbers alone and its year last."""

    dmy = "dmy"
    mdy = "mdy"


# --- stories and signals --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A story's picture. `alt` is None when nobody wrote one, "" when it is decoration."""

    url: str
    alt: str | None = None
    caption: str = ""
    credit: str = ""
    width: int | None = None
    height: int | None = None


class StoryKind(StrEnum):
    article = "article"
    live = "live"
    gallery = "gallery"
    video = "video"
    sponsored = "sponsored"


@dataclass(frozen=True, slots=True)
class StoryDraft:
    """A story as an importer hands it over: cleaned and checked, not yet known to the store.

    `external_id` is the source's own name for it (a guid, a database id); `url` is absolute http(s) without
    tracking parameters; `body` is HTML that passed nh3; `published` is None when the source gives no date,
    and `first_seen` only when the source itself says when it first showed the story.
    """

    external_id: str
    url: str
    title: str
    standfirst: str = ""
    body: str = ""
    author: str = ""
    section: str = ""
    language: str = ""
    picture: Picture | None = None
    published: dt.datetime | None = None
    updated: dt.datetime | None = None
    first_seen: dt.datetime | None = None
    kind: StoryKind = StoryKind.article
    related: tuple[Link, ...] = ()
    full_text: bool = False
    """True when `body` is the whole article, so that its words give a reading time."""
    once: bool = False
    """The source has each page once, as a feed or a sitemap does: the same link with the same heading under
    another id is the same story."""
    link: str = ""
    """The address that the source has for it, where its page calls another one canonical."""
    from_page: tuple[str, ...] = ()
    """Names of fields that the source left out and the page told; they outlast an import without the page."""


@dataclass(frozen=True, slots=True)
class Story:
    """A story as the store keeps it."""

    id: int
    source: str
    external_id: str
    url: str
    title: str
    first_seen: dt.datetime
    standfirst: str = ""
    body: str = ""
    author: str = ""
    section: str = ""
    language: str = ""
    picture: Picture | None = None
    published: dt.datetime | None = None
    updated: dt.datetime | None = None
    withdrawn: dt.datetime | None = None
    kind: StoryKind = StoryKind.article
    related: tuple[Link, ...] = ()
    full_text: bool = False
    hidden: str = ""
    """Why an editor took it out of every coming edition; it counts as withdrawn."""

    @property
    def date(self) -> dt.datetime:
        """The date that decides its window: publication or, without one, first seen."""
        return self.published or self.first_seen


class MetricKind(Enum):
    count = "count"
    """Events in a bucket; the window's figure is their sum."""
    total = "total"
    """A cumulative figure; the window's figure is its increase."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What a signal measures. `distinct` is true for readers (people a day), false for views or points."""

    name: str
    kind: MetricKind
    distinct: bool = False
    bucket: dt.timedelta | None = None
    """Length of one count's bucket, where the source has one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One observation as it arrives: `story` is the source's id or the story's URL."""

    story: str
    at: dt.datetime
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """What is known of one story by one metric, in time order, nothing later than the cut-off.

    `at` are Unix seconds. For a count, `at` is the start of its bucket.
    """

    metric: Metric
    at: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A story that may enter an edition, with its signals by metric name."""

    story: Story
    signals: Mapping[str, Series]


# --- ranking --------------------------------------------------------------------------------------


class Order(StrEnum):
    popular = "popular"
    latest = "latest"


@dataclass(frozen=True, slots=True)
class RankingSettings:
    """How a newsletter chooses; the meaning of each is in the configuration reference."""

    count: int = 10
    minimum: int = 3
    order: Order = Order.popular
    metric: str = "auto"
    weights: Mapping[str, float] = field(default_factory=dict)
    """Metric name -> weight, to rank by several; empty to rank by `metric` alone."""
    projection: dt.timedelta | None = None
    """How long a story's present rate is carried on; None: as the window itself teaches."""
    minimum_age: dt.timedelta = dt.timedelta(0)
    per_section: int = 0
    per_author: int = 0
    stale_after: dt.timedelta = dt.timedelta(hours=36)
    similarity: float = 0.6


@dataclass(frozen=True, slots=True)
class Choices:
    """An editor's word on one edition. Positions count from 1; story ids everywhere."""

    pinned: Mapping[int, int | None] = field(default_factory=dict)
    """Story -> fixed position, or None for "anywhere in the list"."""
    excluded: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Score:
    """Why a story stands where it stands, in figures. Unit: the metric's own."""

    metric: str
    value: float
    """What the order is by: `gained` + `projected`; ranked by several signals, how many times the average."""
    gained: float
    """Increase over the window (total) or sum over the window (count)."""
    projected: float
    """Its present rate for a little longer, for stories that are still being read."""
    distinct: bool = False
    notes: tuple[str, ...] = ()
    """How missing or falling figures were handled."""
    unit: str = ""
    """What `gained` may honestly be called: "points", "readers", "reader-days"; "" for the metric's name."""


@dataclass(frozen=True, slots=True)
class Pick:
    rank: int
    story: Story
    score: Score | None
    """None for a story chosen by hand without figures, or in an `Order.latest` list."""
    reasons: tuple[str, ...]
    folded: tuple[Story, ...] = ()
    """Near-duplicates that this one stands for, most popular first."""
    pinned: bool = False


class LeftOutBy(StrEnum):
    used = "used"
    sponsored = "sponsored"
    withdrawn = "withdrawn"
    too_young = "too_young"
    folded = "folded"
    section_cap = "section_cap"
    author_cap = "author_cap"
    excluded = "excluded"
    rank = "rank"
    no_signal = "no_signal"


@dataclass(frozen=True, slots=True)
class LeftOut:
    story: Story
    by: LeftOutBy
    reason: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """A list with its reasons. `hold` is empty, or says why it must not be sent as it is, and the way out."""

    window: Window
    picks: tuple[Pick, ...]
    left_out: tuple[LeftOut, ...]
    metric: str = ""
    hold: str = ""


# --- editions -------------------------------------------------------------------------------------


class EditionState(StrEnum):
    draft = "draft"
    approved = "approved"
    fanning = "fanning"
    sending = "sending"
    finished = "finished"
    skipped = "skipped"
    cancelled = "cancelled"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class Period:
    """One turn of a newsletter's schedule. `start_date` is the local date of the window's start."""

    start_date: dt.date
    window: Window
    build_at: dt.datetime
    lock_at: dt.datetime
    send_at: dt.datetime


@dataclass(frozen=True, slots=True)
class EditionStory:
    """A story as frozen in an edition: later changes of the source do not reach it."""

    position: int
    story: Story
    reasons: tuple[str, ...]
    score: Score | None = None
    folded: tuple[Story, ...] = ()
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """One rendering of an edition: HTML and text with slot tokens (`nonce` is in each of them)."""

    key: str
    subject: str
    html: str
    text: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends an edition, and whatever else the configuration says about each copy: frozen with it.

    `name`, `address` and `reply_to` are From and Reply-To. `title` is the newsletter's name for readers,
    `zone` that of the Date; links for leaving begin with `site_url`.
    """

    name: str
    address: str
    reply_to: str = ""
    return_path_domain: str = ""
    title: str = ""
    list_id: str = ""
    language: str = ""
    zone: str = "UTC"
    site_url: str = ""
    complaints: str = ""
    """Where mailbox providers may report complaints: CFBL-Address."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One period's frozen content of a newsletter.

    `hash` is over the manifest and every variant's HTML and text; `approved_hash` is what was approved.
    `held` and `paused` are reasons; "" means the flag is off (of a skipped edition `held` says why it was
    skipped). `key_id` names the signing key of its links.
    """

    id: int
    newsletter: str
    number: int
    period: Period
    state: EditionState
    stories: tuple[EditionStory, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    variants: tuple[Variant, ...] = ()
    hash: str = ""
    approved_hash: str = ""
    approved_by: str = ""
    held: str = ""
    paused: str = ""
    subject: str = ""
    preheader: str = ""
    intro: str = ""
    date: dt.datetime | None = None
    """The planned Date of its copies; `digest.edition.date_of` has the one that they get."""
    sender: Sender | None = None
    key_id: int = 0
    metric: str = ""
    choices: Choices = field(default_factory=Choices)
    """The editor's word so far."""
    policy: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    """What was decided about approval, lateness and uncertain copies when it was built."""
    told: bool = False
    """Whether the editors were told that it is ready."""
    released: dt.datetime | None = None
    """When a person last let it go on after a hold; lateness counts from then."""
    departed: dt.datetime | None = None
    """When it began to leave."""
    started: dt.datetime | None = None
    """When its first copy was offered to the relay."""
    finished: dt.datetime | None = None

    @property
    def name(self) -> str:
        """How commands and people name it: ``weekly/2026-11-16``."""
        return f"{self.newsletter}/{self.period.start_date.isoformat()}"


# --- sending --------------------------------------------------------------------------------------


class DeliveryState(StrEnum):
    queued = "queued"
    claimed = "claimed"
    offered = "offered"
    accepted = "accepted"
    deferred = "deferred"
    rejected = "rejected"
    expired = "expired"
    uncertain = "uncertain"
    skipped = "skipped"
    cancelled = "cancelled"


class Recipient(NamedTuple):
    """A subscriber fixed for one edition, with what personalisation needs."""

    delivery: int
    subscription: int
    address: str
    name: str = ""
    variant: str = "default"


class Message(NamedTuple):
    """What leaves: one copy for one address.

    `plain`: no line of it begins with a dot, it ends in CRLF, and it is 7-bit (what `compose` makes), so that
    nobody has to look for that again. Like the other records of which there is one for each copy, it is a
    tuple: a frozen dataclass takes three times as long to make.
    """

    delivery: int
    mail_from: str
    rcpt_to: str
    text: bytes | Sequence[bytes]
    """Whole, or in pieces: joined as late as can be, while what is written stays in the processor's cache."""
    plain: bool = False

    @property
    def content(self) -> bytes:
        """The whole message with CRLF, not dot-stuffed."""
        text = self.text
        return text if isinstance(text, bytes) else b"".join(text)


class OutcomeKind(StrEnum):
    accepted = "accepted"
    deferred = "deferred"
    rejected = "rejected"
    uncertain = "uncertain"
    unsent = "unsent"
    """Certainly not handed over (connection lost before the final dot): goes back to the queue."""


class Outcome(NamedTuple):
    """What became of one offered message. `code` 0 means that there was no reply."""

    delivery: int
    kind: OutcomeKind
    code: int = 0
    enhanced: str = ""
    """RFC 3463 status, such as "5.1.1"."""
    reply: str = ""
    """The reply's text; for an accepted message it often has the relay's queue id."""
    at: str = ""
    """The command that was refused: "MAIL", "RCPT", "DATA", or "text" for the answer to the whole text; ""
    for an outcome without a reply."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the ledger, for people to look at."""

    id: int
    edition: int
    address: str
    state: DeliveryState
    attempts: int
    message_id: str
    reply: str
    skip_reason: str = ""
    next_attempt: dt.datetime | None = None
    server: str = ""
    """That it was offered to last, as host:port: of a copy in doubt the one that may have it. "" before the
    first offer, and of copies offered before this was noted."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in any span of `seconds`: 600 an hour is Rate(600, 3600)."""

    count: int
    seconds: int


# --- slots ----------------------------------------------------------------------------------------


class SlotContext(StrEnum):
    """Where in a message a per-recipient value stands; `digest.compose` has an encoder for each."""

    html = "html"
    attribute = "attribute"
    url = "url"
    """A whole http(s) URL as an attribute's value."""
    text = "text"
    header = "header"


class SlotName(StrEnum):
    """The values that differ from reader to reader. Templates may use those; nothing else is personal."""

    address = "address"
    name = "name"
    leave_url = "leave_url"
    """Page for leaving and for managing the subscription; the same token takes the one-click POST."""


def slot_token(nonce: str, name: SlotName, context: SlotContext) -> str:
    """The ASCII word that stands for a value until it is spliced in.

    It survives MJML, css-inline and quoted-printable unchanged; `nonce` (16 hex digits, new for each build)
    keeps a story that mentions such a word from being spliced.
    """
    return f"SLOT-{nonce}-{name.value.replace('_', '.')}-{context.value}-TOLS"
