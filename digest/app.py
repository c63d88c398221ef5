"""The composition root: the only module that chooses implementations.

An `App` is cheap to make; each part is made when it is first asked for, so that a command pays only for what
it uses. Tests make one with their own settings and clock.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from zoneinfo import ZoneInfo

from digest.compose import Frame
from digest.config import Newsletter, Settings
from digest.edition import date_of
from digest.errors import EditionError, UsageError
from digest.model import Edition, RankingSettings
from digest.ports import Clock, Transport
from digest.render import Presentation, Renderer
from digest.render.templates import folders
from digest.schedule import Schedule
from digest.store import Database
from digest.store.editions import Editions
from digest.store.installation import Installation
from digest.store.ledger import SqlLedger
from digest.store.logs import Logs
from digest.store.pages import StoryPages
from digest.store.signals import Signals
from digest.store.sources import Sources
from digest.store.stories import Stories
from digest.store.story_desk import StoryDesk
from digest.store.tables import people
from digest.tokens import KeyRing
from digest.work.dkim_keys import KeyFolder
from digest.work.generation import Generation
from digest.work.pace import Pace
from subscribers import Subscribers


class SystemClock:
    """The machine's clock."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


def _title(newsletter: Newsletter, *, popular: bool) -> str:
    """The configured title. The one that nobody chose says only what is so: a list without figures is not
    called popular, nor a day a week."""
    if newsletter.title != Newsletter.model_fields["title"].default:
        return newsletter.title
    period = {"7d": "This week’s", "1d": "The day’s"}[newsletter.window]
    return f"{period} most popular news" if popular else f"{period} news"


class App:
    """The product, put together for one configuration."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()

    # What is kept

    @cached_property
    def database(self) -> Database:
        """The store; its schema is checked before anything is read (`StoreVersionError`)."""
        database = Database(self.settings.database_url())
        database.check()
        return database

    @cached_property
    def keys(self) -> KeyRing:
        return KeyRing.load(self.settings.path(self.settings.keys.file))

    @cached_property
    def dkim_keys(self) -> KeyFolder:
        dkim = self.settings.dkim
        return KeyFolder(self.settings.path(dkim.keys), required=dkim.required)

    @cached_property
    def installation(self) -> Installation:
        return Installation(self.database)

    @cached_property
    def generation(self) -> Generation:
        keys = self.settings.path(self.settings.keys.file)
        return Generation(self.installation, keys.with_name(f"{keys.name}.generation"))

    @cached_property
    def stories(self) -> Stories:
        return Stories(self.database)

    @cached_property
    def story_desk(self) -> StoryDesk:
        return StoryDesk(self.database)

    @cached_property
    def signals(self) -> Signals:
        return Signals(self.database)

    @cached_property
    def logs(self) -> Logs:
        return Logs(self.database)

    @cached_property
    def sources(self) -> Sources:
        return Sources(self.database)

    @cached_property
    def pages(self) -> StoryPages:
        return StoryPages(self.database)

    @cached_property
    def editions(self) -> Editions:
        return Editions(self.database)

    @cached_property
    def ledger(self) -> SqlLedger:
        return SqlLedger(self.database)

    @cached_property
    def subscribers(self) -> Subscribers:
        return Subscribers(self.database, people, address_secret=self.keys.address_secret, now=self.clock.now)

    @cached_property
    def pace(self) -> Pace:
        return Pace(self.settings.sending, self.ledger, self.editions, self.clock)

    # What each newsletter asks for

    def newsletter(self, slug: str) -> Newsletter:
        try:
            return self.settings.newsletter[slug]
        except KeyError:
            known = ", ".join(sorted(self.settings.newsletter)) or "none"
            raise UsageError(
                f"there is no newsletter {slug!r}",
                hint=f"Configured: {known}. Add [newsletter.{slug}] to config.toml or use one of these.",
            ) from None

    def schedule(self, slug: str) -> Schedule:
        return Schedule.of(self.newsletter(slug))

    def ranking_settings(self, slug: str) -> RankingSettings:
        newsletter = self.newsletter(slug)
        return RankingSettings(
            count=newsletter.count,
            minimum=newsletter.minimum,
            order=newsletter.order,
            metric=newsletter.metric,
            weights=newsletter.weights,
            projection=None if newsletter.projection == "auto" else newsletter.projection,
            minimum_age=newsletter.minimum_age,
            per_section=newsletter.per_section,
            per_author=newsletter.per_author,
            stale_after=newsletter.stale_after,
        )

    # What an edition becomes

    def presentation(self, edition: Edition) -> Presentation:
        newsletter = self.newsletter(edition.newsletter)
        site = self.settings.site.url.rstrip("/")
        return Presentation(
            name=newsletter.name,
            title=_title(newsletter, popular=bool(edition.metric)),
            language=newsletter.language,
            zone=newsletter.zone,
            accent=newsletter.accent,
            logo=newsletter.logo,
            site_url=site,
            postal_address=self.settings.site.postal_address,
            web_url=f"{site}/e/{edition.name}",
            show_figures=newsletter.show_figures,
            mark=f"utm_source={edition.newsletter}&utm_medium=email" if newsletter.mark_links else "",
        )

    def renderer(self, edition: Edition) -> Renderer:
        templates = self.settings.templates
        own = None if templates is None else self.settings.path(templates)
        look = self.newsletter(edition.newsletter).look
        return Renderer(folders(own), self.presentation(edition), look=look)

    def frame(self, edition: Edition) -> Frame:
        """What stands around the content in each copy: as it was frozen, whatever config.toml says now."""
        sender, date = edition.sender, date_of(edition)
        if sender is None or date is None:
            raise EditionError(
                edition.name,
                "has no content yet",
                hint=f"Build it: digest edition build {edition.newsletter}",
            )
        return Frame(
            sender=sender,
            newsletter=edition.newsletter,
            list_id=sender.list_id,
            site_url=sender.site_url,
            date=date.astimezone(ZoneInfo(sender.zone)),
            edition_name=edition.name,
            title=sender.title,
            language=sender.language,
        )

    # The outside

    def transport(self, server: str = "") -> Transport:
        """A new connection pool to the relay, with the second server behind it; or to that one of
        `Settings.servers` alone. The caller closes it."""
        from digest.smtp.client import SmtpTransport  # noqa: PLC0415

        smtp, fallback = self.settings.smtp, self.settings.fallback
        if server == smtp.server:
            return SmtpTransport(smtp)
        if server:
            return SmtpTransport(fallback, section="fallback")
        return SmtpTransport(smtp, fallback=fallback if fallback.host else None)
