"""What config.toml may say: one frozen model a section, unknown keys refused.

The comment of each field (its `description`) is what docs/configuration.md and the commented config.toml that
`digest init` writes are made of.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from digest.model import Order

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Database(_Section):
    url: str = Field(
        "sqlite:///digest.db",
        description="Where everything is kept: sqlite:///FILE (relative to "
        "this file) or postgresql://USER@HOST/NAME.",
    )


class SmtpTls(StrEnum):
    auto = "auto"
    none = "none"
    starttls = "starttls"
    implicit = "implicit"


class Smtp(_Section):
    host: str = Field("127.0.0.1", description="The relay that takes the mail.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        25, description="Its port: 587 with starttls, 465 with implicit TLS, 25 next door."
    )
    tls: SmtpTls = Field(
        SmtpTls.auto,
        description='"starttls" (required, certificate checked), "implicit", '
        '"none", or "auto": none to loopback, starttls to everything else.',
    )
    ca_file: Path | None = Field(
        None, description="A PEM file of the only authorities to trust, instead of the system's."
    )
    user: str = Field("", description="Sign-in name; empty for none.")
    password: SecretStr | None = Field(None, description="Its password; better in password_file.")
    password_file: Path | None = Field(None, description="A file that holds the password.")
    connections: Annotated[int, Field(ge=1, le=100)] = Field(4, description="Connections at the same time.")
    timeout: Annotated[float, Field(gt=0, le=3600)] = Field(
        60.0,
        description="Seconds to wait for a reply "
        "(after the text of a message: 10 times that, at most 600; RFC 5321 4.5.3.2).",
    )
    helo: str = Field("", description="The name to greet with; empty for this machine's.")


class Site(_Section):
    url: str = Field(
        "http://127.0.0.1:8765",
        description="The public address of `digest serve`, as readers "
        "reach it. Links in the mail begin with it.",
    )
    postal_address: str = Field(
        "", description="The postal address in the footer; many countries require it."
    )
    listen: str = Field("127.0.0.1:8765", description="Where `digest serve` listens.")


class Keys(_Section):
    file: Path = Field(
        Path("digest.keys"),
        description="Signing keys; created with mode 600. Keep a copy: "
        "without it no link in mail already sent works.",
    )


class Alerts(_Section):
    to: tuple[str, ...] = Field((), description="Who hears when something needs a person.")


class SourceType(StrEnum):
    feed = "feed"
    csv = "csv"
    jsonl = "jsonl"


class Source(_Section):
    name: Slug = Field(description="Its name in reports.")
    type: SourceType = Field(SourceType.feed, description='"feed" (RSS, Atom), "csv" or "jsonl".')
    url: str = Field(description="http(s) address, or a file.")
    every: dt.timedelta = Field(dt.timedelta(minutes=30), description="How often to look.")
    section: str = Field("", description="The section of its stories, where they name none.")


class Approval(StrEnum):
    editor = "editor"
    automatic = "automatic"


class Newsletter(_Section):
    name: str = Field(description="As readers see it.")
    title: str = Field("This week's most popular news", description="The heading of each edition.")
    sender_name: str = Field("", description="Display name of From; empty for the newsletter's name.")
    sender: str = Field(description="Address of From.")
    reply_to: str = Field("", description="A real inbox for answers; empty for the sender.")
    return_path_domain: str = Field("", description="Domain of return paths; empty for the sender's.")
    list_id: str = Field("", description="List-Id (RFC 2919); empty for SLUG.DOMAIN.")
    editors: tuple[str, ...] = Field((), description="Who is told by mail that a draft is ready.")
    zone: str = Field("UTC", description="Time zone of all its times, such as Europe/London.")
    window: Literal["7d", "1d"] = Field("7d", description="The period: a week or a day.")
    window_start: str = Field(
        "mon 00:00", description="When a period begins; for a day only the time counts."
    )
    build: str = Field(
        "mon 06:00",
        description="When the draft is made: the first such moment at or after the end of the window.",
    )
    lock: str = Field("tue 08:00", description="When the approved version is settled: after build.")
    send: str = Field("tue 09:00", description="When it leaves: after lock.")
    lateness: dt.timedelta = Field(
        dt.timedelta(hours=24), description="A step later than this is held and reported instead of done."
    )
    approval: Approval = Field(
        Approval.automatic,
        description='"automatic": approved at lock time unless held. "editor": waits for a person.',
    )
    count: Annotated[int, Field(ge=1, le=50)] = Field(10, description="Stories in an edition.")
    minimum: Annotated[int, Field(ge=1, le=50)] = Field(
        3, description="Fewer than this: the edition is held."
    )
    order: Order = Field(Order.popular, description='"popular", or "latest" where there are no signals.')
    metric: str = Field("auto", description='The signal to rank by; "auto" takes the best there is.')
    projection: dt.timedelta = Field(
        dt.timedelta(hours=6),
        description="How long a story's present rate is carried on, so that late stories are not lost.",
    )
    minimum_age: dt.timedelta = Field(
        dt.timedelta(0), description="Stories younger than this wait for the next edition."
    )
    per_section: Annotated[int, Field(ge=0)] = Field(0, description="At most so many of one section; 0: any.")
    per_author: Annotated[int, Field(ge=0)] = Field(0, description="At most so many of one author; 0: any.")
    stale_after: dt.timedelta = Field(
        dt.timedelta(hours=36),
        description="Signals older than this at the end of the window hold the edition.",
    )
    show_figures: bool = Field(True, description="Show how many readers a story had.")
    look: Literal["front-page"] = Field("front-page", description="The template.")
    accent: str = Field(
        "#9E1B32", description="Accent colour; one too weak to read is adjusted and reported."
    )
    logo: str = Field("", description="Picture address of a logo, at most 200 x 40; empty for the name.")
    language: str = Field("en", description="Language of the edition.")
    uncertain: Literal["hold", "resend"] = Field(
        "hold",
        description="Copies of which nobody can know whether "
        'they arrived: "hold" lists them, "resend" sends them once more.',
    )


class Settings(_Section):
    """The whole of config.toml. `root` is the folder that relative paths start from."""

    root: Path = Field(Path(), exclude=True)
    database: Database = Database()
    smtp: Smtp = Smtp()
    site: Site = Site()
    keys: Keys = Keys()
    alerts: Alerts = Alerts()
    templates: Path | None = Field(
        None,
        description="A folder of your own templates; a file there takes the "
        "place of the one of the same name.",
    )
    source: tuple[Source, ...] = ()
    newsletter: dict[Slug, Newsletter] = Field(default_factory=dict)
