"""What config.toml may say: one frozen model a section, unknown keys refused.

The comment of each field (its `description`) is what docs/configuration.md and the commented config.toml that
`digest init` writes are made of.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from digest.config.moments import parse_moment
from digest.config.rates import parse_domain_rate
from digest.config.values import (
    CONTROL,
    Address,
    AddressOrEmpty,
    BaseAddress,
    Colour,
    DatabaseAddress,
    Domain,
    DomainRate,
    Duration,
    File,
    Language,
    Listen,
    Moment,
    Place,
    Projection,
    Rewritten,
    Slug,
    SomeDomain,
    WebAddressOrEmpty,
    Weight,
    Zone,
    ZoneOrEmpty,
    wrong,
)
from digest.config.weights import parse_weight
from digest.model import DateOrder, Order, Rate

_LINES_ALLOWED = ("postal_address",)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _one_line(cls, value: Any, info: Any) -> Any:
        """No control characters anywhere: most of these end in a header, a command or a file name."""
        texts = value if isinstance(value, tuple) else (value,)
        for text in texts:
            plain = text.get_secret_value() if isinstance(text, SecretStr) else text
            if isinstance(plain, str):
                looked_at = plain.replace("\n", "") if info.field_name in _LINES_ALLOWED else plain
                if CONTROL.search(looked_at):
                    wrong("there is a line break or control character in it", allowed="one line of text")
        return value


class Database(_Section):
    """Where everything is kept."""

    url: DatabaseAddress = Field(
        "sqlite:///digest.db",
        repr=False,  # it may have a password in it
        description="The database: sqlite:///FILE (relative to this file) or postgresql://USER@HOST/NAME.",
    )
    password: SecretStr | None = Field(
        None, description="PostgreSQL's password, where it asks for one; better in password_file."
    )
    password_file: File | None = Field(
        None, description="A file that holds the password.", examples=["database.password"]
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        _not_both(self)
        return self


def _not_both(section: Database | Smtp) -> None:
    if section.password is not None and section.password_file is not None:
        wrong("there is a password as well; only one of the two", key="password_file")


class SmtpTls(StrEnum):
    auto = "auto"
    none = "none"
    starttls = "starttls"
    required = "required"
    implicit = "implicit"


class SmtpAuth(StrEnum):
    auto = "auto"
    plain = "plain"
    login = "login"
    xoauth2 = "xoauth2"


class SmtpDsn(StrEnum):
    off = "off"
    never = "never"
    failure = "failure"
    delay = "delay"

    @property
    def notify(self) -> str:
        """RFC 3461's NOTIFY; "" asks for nothing."""
        return {"off": "", "delay": "FAILURE,DELAY"}.get(self.value, self.value.upper())


_Timeout = Annotated[float, Field(ge=0, le=3600)]


class Smtp(_Section):
    """The relay that takes the mail."""

    host: Annotated[str, Field(min_length=1)] = Field("127.0.0.1", description="Its name or address.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        25, description="Its port: 587 with STARTTLS, 465 with implicit TLS, 25 next door."
    )
    tls: SmtpTls = Field(
        SmtpTls.auto,
        description='"required" (STARTTLS or nothing is sent), "implicit", "starttls" (where it is offered), '
        '"none", or "auto": none to loopback, required to everything else. Certificates are checked.',
    )
    ca_file: File | None = Field(
        None,
        description="A PEM file of the only authorities to trust, instead of the system's.",
        examples=["relay-ca.pem"],
    )
    user: str = Field("", description="Sign-in name; empty for none.")
    password: SecretStr | None = Field(None, description="Its password; better in password_file.")
    password_file: File | None = Field(
        None, description="A file that holds the password.", examples=["smtp.password"]
    )
    auth: SmtpAuth = Field(
        SmtpAuth.auto,
        description='How to sign in: "plain", "login", "xoauth2" (with a token), or "auto": what is offered.',
    )
    token_command: str = Field(
        "", description="For xoauth2: a command that prints an access token.", examples=["print-token weekly"]
    )
    token_url: WebAddressOrEmpty = Field(
        "", description="For xoauth2 without a command: where a refresh token is changed for an access token."
    )
    client_id: str = Field("", description="For token_url: who we are there.")
    client_secret_file: File | None = Field(
        None, description="For token_url: a file with our secret there.", examples=["smtp.client-secret"]
    )
    refresh_token_file: File | None = Field(
        None, description="For token_url: a file with the refresh token.", examples=["smtp.refresh-token"]
    )
    connections: Annotated[int, Field(ge=1, le=100)] = Field(4, description="Connections at the same time.")
    depth: Annotated[int, Field(ge=1, le=64)] = Field(
        8,
        description="Messages on their way over one connection, where the relay offers CHUNKING. At a "
        "crash at most connections x depth copies are in doubt.",
    )
    pipelining: bool = Field(True, description="Use PIPELINING where the relay offers it.")
    chunking: bool = Field(True, description="Use CHUNKING where the relay offers it.")
    messages_per_connection: Annotated[int, Field(ge=0)] = Field(
        0, description="A new connection after so many messages; 0: as many as the relay takes."
    )
    idle: Annotated[float, Field(gt=0, le=3600)] = Field(
        30.0, description="Seconds before a connection without work is ended."
    )
    timeout: Annotated[float, Field(gt=0, le=3600)] = Field(
        300.0, description="Seconds to wait for the greeting and for each reply (RFC 5321 4.5.3.2)."
    )
    connect_timeout: _Timeout = Field(0.0, description="Seconds for connecting; 0: timeout, at most 30.")
    data_timeout: _Timeout = Field(0.0, description="Seconds for the reply to DATA; 0: timeout, at most 120.")
    block_timeout: _Timeout = Field(
        0.0, description="Seconds in which the relay has to read something; 0: timeout, at most 180."
    )
    text_timeout: _Timeout = Field(
        0.0, description="Seconds for the reply to a whole message; 0: 10 times timeout, at most 600."
    )
    dsn: SmtpDsn = Field(
        SmtpDsn.off,
        description='Ask for reports (RFC 3461) where the relay offers that: "failure", "delay" (as well), '
        '"never", or "off": ask for nothing.',
    )
    helo: Domain = Field("", description="The name to greet with; empty for this machine's.")

    @model_validator(mode="after")
    def _sign_in_is_whole(self) -> Self:
        _not_both(self)
        has_password = self.password is not None or self.password_file is not None
        has_token = bool(self.token_command or self.token_url)
        if self.token_command and self.token_url:
            wrong("there is a token_command as well; only one of the two", key="token_url")
        if self.token_url and not (self.client_id and self.refresh_token_file):
            wrong("there is no client_id or refresh_token_file beside it", key="token_url")
        if self.auth is SmtpAuth.xoauth2 and not has_token:
            wrong("this needs a token", key="auth", allowed="token_command or token_url beside it")
        if self.user and not (has_password or has_token):
            wrong(
                "there is a user but no password", key="user", allowed="password_file or password beside it"
            )
        if (has_password or has_token) and not self.user:
            what = "password" if has_password else "token"
            wrong(f"there is a {what} but no user", key="user", allowed="the sign-in name")
        return self

    @property
    def server(self) -> str:
        """How people and the ledger name it."""
        return f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether the relay is this machine: such mail may go without TLS and to a trial inbox."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


class Sending(_Section):
    """How fast mail leaves, and when it stops by itself. The relay's provider says what it allows."""

    per_second: Annotated[int, Field(ge=0)] = Field(
        0, description="At most so many copies a second, spread evenly; 0: no limit."
    )
    per_hour: Annotated[int, Field(ge=0)] = Field(
        0, description="At most so many within any hour, over all newsletters; 0: no limit."
    )
    per_day: Annotated[int, Field(ge=0)] = Field(
        0, description="At most so many within any 24 hours; 0: no limit."
    )
    domains: tuple[DomainRate, ...] = Field(
        (),
        description="Rates for readers of single domains, spread evenly, such as "
        '["gmail.com 600/h"]; the others do not wait for them.',
        examples=["gmail.com 600/h"],
    )
    retry_first: Annotated[Duration, Field(ge=dt.timedelta(minutes=1))] = Field(
        dt.timedelta(minutes=30),
        description="After so long a copy that was put off is tried again, where the server names no time "
        "(RFC 5321 4.5.4.1: 30 minutes); each further wait is twice as long.",
    )
    retry_longest: Annotated[Duration, Field(ge=dt.timedelta(minutes=1))] = Field(
        dt.timedelta(hours=6), description="The longest of these waits."
    )
    hard_bounce_limit: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05,
        description="When more than this share of the addresses does not exist, an edition pauses "
        "(judged from 200 copies on, by Wilson's bound); 0: never.",
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.retry_longest < self.retry_first:
            wrong("shorter than retry_first", key="retry_longest", allowed="at least retry_first")
        names = [parse_domain_rate(each)[0] for each in self.domains]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            wrong(f"two rates for {twice[0]}", key="domains", allowed="one rate for each domain")
        return self

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The limits that are set."""
        counts = ((self.per_second, 1), (self.per_hour, 3600), (self.per_day, 86400))
        return tuple(Rate(count, seconds) for count, seconds in counts if count)

    @property
    def domain_rates(self) -> dict[str, Rate]:
        """By domain, in small letters and A-labels."""
        return dict(parse_domain_rate(each) for each in self.domains)


class Fallback(Smtp):
    """A second server, for when the first cannot be used at all. Its keys are those of [smtp]."""

    host: str = Field("", description="Its name or address; empty for no second server.")


class Site(_Section):
    """The public pages: leaving, the web version, the preview."""

    url: BaseAddress = Field(
        "http://127.0.0.1:8765",
        description="The public address of `digest serve`, as readers "
        "reach it. Links in the mail begin with it.",
    )
    postal_address: str = Field(
        "", description="The postal address in the footer; many countries require it."
    )
    listen: Listen = Field("127.0.0.1:8765", description="Where `digest serve` listens.")

    @property
    def listen_host(self) -> str:
        """The host of `listen`, without the brackets of an IPv6 address."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def listen_port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class Keys(_Section):
    """The keys that sign links and return paths."""

    file: File = Field(
        Path("digest.keys"),
        description="Signing keys; created with mode 600. Keep a copy: "
        "without it no link in mail already sent works.",
    )


class Dkim(_Section):
    """Signatures of mail (DKIM). A domain with an active key (`digest dkim`) is signed for; where there is
    none the relay has to sign."""

    keys: File = Field(
        Path("dkim"), description="The folder of the keys, which `digest dkim keygen` makes with mode 600."
    )
    required: tuple[SomeDomain, ...] = Field(
        (), description="Sender domains whose mail must not leave without a signature."
    )
    unsigned: tuple[Rewritten, ...] = Field(
        (),
        description="Header fields that the relay writes anew, so that a signature must not cover them; "
        'for Amazon SES "message-id" and "date".',
    )


class Alerts(_Section):
    """Who hears when something needs a person."""

    to: tuple[Address, ...] = Field((), description="Their mail addresses.")


class SourceType(StrEnum):
    auto = "auto"
    feed = "feed"
    sitemap = "sitemap"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


class Withdrawal(StrEnum):
    page = "page"
    gone = "gone"
    never = "never"


class Source(_Section):
    """Where stories come from. Write one [[source]] for each."""

    name: Slug = Field(description="Its name in reports.", examples=["news"])
    type: SourceType = Field(
        SourceType.auto,
        description='"auto" looks at it; else "feed" (RSS, Atom, RDF), "sitemap", "json", "jsonl" or "csv".',
    )
    url: Place = Field(
        description="http(s) address, or a file (relative to this one).",
        examples=["https://www.example.org/feed.xml"],
    )
    every: Annotated[Duration, Field(ge=dt.timedelta(minutes=1))] = Field(
        dt.timedelta(minutes=30), description="How often to look."
    )
    section: str = Field("", description="The section of its stories, where they name none.")
    internal: bool = Field(
        False,
        description="Its address is on this machine or in your own network; else only public addresses are "
        "asked, at redirects, too.",
    )
    withdrawn: Withdrawal = Field(
        Withdrawal.page,
        description='What tells that a story was withdrawn: "page", when its page is gone (410, or 404 twice '
        'an hour apart); "gone", also when it is no longer in this source, for complete lists only and '
        'never for a feed of the newest; "never", nothing.',
    )
    enrich: bool = Field(
        False, description="Look at each new story's page for picture, author, section and so on."
    )
    map: tuple[str, ...] = Field(
        (), description='Columns of a table by their field, such as ["title=Headline", "url=Web|Link"].'
    )
    signals: tuple[str, ...] = Field(
        (), description='Columns with figures, such as ["points=score", "views:count:1d=daily_views"].'
    )
    columns: tuple[str, ...] = Field((), description="Names of the columns, where the table has none.")
    date_order: DateOrder | None = Field(
        None, description='What comes first in 4/8/2016: "dmy" or "mdy"; empty: all its dates decide.'
    )
    encoding: str = Field("", description="Of a table that is not Unicode, such as windows-1251.")
    records: str = Field("", description="Where in a JSON document the list is, such as data.items.")
    link: str = Field("", description="Address of stories that state none: https://www.example.org/{id}.")


class SignalType(StrEnum):
    log = "log"


class LogFormat(StrEnum):
    auto = "auto"
    combined = "combined"
    common = "common"
    json = "json"
    w3c = "w3c"


class Signal(_Section):
    """What shows how popular stories are. Write one [[signals]] for each."""

    name: Slug = Field(description="Its name in reports; no [[source]] may have the same.", examples=["web"])
    type: SignalType = Field(
        SignalType.log,
        description='"log": the access logs of a web server, which give the readers of each story and day.',
    )
    path: Annotated[str, Field(min_length=1)] = Field(
        description="The logs, rotated and packed ones too, as a pattern (relative to this file).",
        examples=["/var/log/nginx/access.log*"],
    )
    every: Annotated[Duration, Field(ge=dt.timedelta(minutes=1))] = Field(
        dt.timedelta(minutes=10), description="How often to look."
    )
    url: WebAddressOrEmpty = Field(
        "",
        description="The site whose log it is; empty for the one that all stories are of, and for logs "
        "that name the site of each request.",
        examples=["https://www.example.org"],
    )
    zone: ZoneOrEmpty = Field(
        "",
        description="The zone in which days begin; empty for that of the newsletters (UTC if they differ).",
    )
    format: LogFormat = Field(
        LogFormat.auto,
        description='"combined" (Apache, nginx), "common", "json" (also Caddy), "w3c" (CloudFront, IIS), or '
        '"auto": what the lines look like.',
    )


class Approval(StrEnum):
    editor = "editor"
    automatic = "automatic"


class Newsletter(_Section):
    """A newsletter. Its slug, such as weekly in [newsletter.weekly], is its name in commands and links."""

    name: Annotated[str, Field(min_length=1)] = Field(description="As readers see it.", examples=["Weekly"])
    title: str = Field("This week’s most popular news", description="The heading of each edition.")
    sender_name: str = Field("", description="Display name of From; empty for the newsletter's name.")
    sender: Address = Field(description="Address of From.", examples=["weekly@example.org"])
    reply_to: AddressOrEmpty = Field("", description="A real inbox for answers; empty for the sender.")
    return_path_domain: Domain = Field("", description="Domain of return paths; empty for the sender's.")
    list_id: str = Field("", description="List-Id (RFC 2919); empty for SLUG.DOMAIN.")
    editors: tuple[Address, ...] = Field((), description="Who is told by mail that a draft is ready.")
    zone: Zone = Field("UTC", description="Time zone of all its times, such as Europe/London.")
    window: Literal["7d", "1d"] = Field("7d", description="The period: a week or a day.")
    window_start: Moment = Field(
        "mon 00:00", description="When a period begins; for a day only the time counts."
    )
    build: Moment = Field(
        "mon 06:00",
        description="When the draft is made: the first such moment at or after the end of the window.",
    )
    lock: Moment = Field("tue 08:00", description="When the approved version is settled: after build.")
    send: Moment = Field("tue 09:00", description="When it leaves: after lock.")
    lateness: Annotated[Duration, Field(gt=dt.timedelta(0))] = Field(
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
    signals: tuple[Weight, ...] = Field(
        (),
        description="Several signals to rank by, each with its weight, instead of one metric; each counts by "
        "how many times the average story a story has. People and page views are never added up.",
        examples=["readers 1", "comments 0.3"],
    )
    projection: Projection = Field(
        "auto",
        description="How long a story's present rate is carried on, so that late stories are not lost; "
        '"auto" learns it from the window itself, "0s" carries nothing on.',
    )
    minimum_age: Annotated[Duration, Field(ge=dt.timedelta(0))] = Field(
        dt.timedelta(0), description="Stories younger than this wait for the next edition."
    )
    per_section: Annotated[int, Field(ge=0)] = Field(0, description="At most so many of one section; 0: any.")
    per_author: Annotated[int, Field(ge=0)] = Field(0, description="At most so many of one author; 0: any.")
    stale_after: Annotated[Duration, Field(gt=dt.timedelta(0))] = Field(
        dt.timedelta(hours=36),
        description="Signals older than this at the end of the window hold the edition.",
    )
    show_figures: bool = Field(True, description="Show how many readers a story had.")
    mark_links: bool = Field(
        True,
        description="Mark links to stories with utm_source=SLUG and utm_medium=email: who comes by them is "
        "left out of readers, or what was in the last edition would be popular for that alone.",
    )
    look: Literal["front-page"] = Field("front-page", description="The template.")
    accent: Colour = Field(
        "#9E1B32", description="Accent colour; one too weak to read is adjusted and reported."
    )
    logo: WebAddressOrEmpty = Field(
        "", description="Picture address of a logo, at most 200 x 40; empty for the name."
    )
    language: Language = Field("en", description="Language of the edition.")
    attachments: tuple[File, ...] = Field(
        (),
        description="Files that go with every copy, as they are when the edition is built; together at most "
        "5 MB.",
    )
    inline_pictures: bool = Field(
        False,
        description="Put pictures that this installation keeps into the mail, instead of linking them.",
    )
    complaints: AddressOrEmpty = Field(
        "",
        description="Where mailbox providers may report complaints (CFBL-Address, RFC 9477); empty for none.",
    )
    uncertain: Literal["hold", "resend"] = Field(
        "hold",
        description="Copies of which nobody can know whether "
        'they arrived: "hold" lists them, "resend" sends them once more, each only to the server '
        "that may have it already; with a second server ([fallback]) never to the other one.",
    )
    growth: Annotated[float, Field(ge=0, le=100)] = Field(
        0.0,
        description="By how much an edition may be larger than the last one within an hour: 0.5 is half as "
        "many again, and 1,000 always leave; the rest follows over the next hours. 0: no limit.",
    )
    canary: tuple[Address, ...] = Field(
        (),
        description="Subscribers who get their copy first, to look whether it is right.",
        examples=["editor@example.org"],
    )
    canary_wait: Annotated[Duration, Field(ge=dt.timedelta(0))] = Field(
        dt.timedelta(minutes=10), description="How long all others wait after that."
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        names = [parse_weight(each)[0] for each in self.signals]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            wrong(f"two weights for {twice[0]}", key="signals", allowed="one weight for each metric")
        if names and self.metric != "auto":
            wrong(
                f'metric is "{self.metric}" already',
                key="signals",
                allowed="one of the two, not both",
            )
        if self.minimum > self.count:
            wrong(
                "more than the whole edition", key="minimum", allowed=f"at most count, which is {self.count}"
            )
        self._check_order_of_steps()
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Of `signals`, by metric."""
        return dict(parse_weight(each) for each in self.signals)

    def _check_order_of_steps(self) -> None:
        """Within one period after the end of the window: build, then lock, then send."""
        moments = {}
        for key in ("window_start", "build", "lock", "send"):
            day, time = parse_moment(getattr(self, key))
            if self.window == "7d" and day is None:
                wrong(
                    "a week needs the day as well", key=key, allowed='a day and a time, such as "mon 06:00"'
                )
            minutes = time.hour * 60 + time.minute
            moments[key] = minutes if self.window == "1d" else (day or 0) * 1440 + minutes
        length = 1440 if self.window == "1d" else 7 * 1440
        after = {key: (moment - moments["window_start"]) % length for key, moment in moments.items()}
        for earlier, later in (("build", "lock"), ("lock", "send")):
            if after[earlier] >= after[later]:
                wrong(
                    f"counted from the end of the window ({self.window_start}), this is not after "
                    f"{earlier} ({getattr(self, earlier)})",
                    key=later,
                    allowed=f"window_start <= build < lock < send, all within {self.window}",
                )


class Settings(_Section):
    """The whole of config.toml. `root` is the folder that relative paths start from."""

    root: Path = Field(Path(), exclude=True, description="The folder of config.toml; not a key of it.")
    database: Database = Field(Database(), description=Database.__doc__)
    smtp: Smtp = Field(Smtp(), description=Smtp.__doc__)
    fallback: Fallback = Field(Fallback(), description=Fallback.__doc__)
    sending: Sending = Field(Sending(), description=Sending.__doc__)
    site: Site = Field(Site(), description=Site.__doc__)
    keys: Keys = Field(Keys(), description=Keys.__doc__)
    dkim: Dkim = Field(Dkim(), description=" ".join((Dkim.__doc__ or "").split()))
    alerts: Alerts = Field(Alerts(), description=Alerts.__doc__)
    templates: File | None = Field(
        None,
        description="A folder of your own templates; a file there takes the "
        "place of the one of the same name.",
        examples=["templates"],
    )
    source: tuple[Source, ...] = Field((), description=Source.__doc__)
    signals: tuple[Signal, ...] = Field((), description=Signal.__doc__)
    newsletter: dict[Slug, Newsletter] = Field(default_factory=dict, description=Newsletter.__doc__)

    @model_validator(mode="after")
    def _sources_have_names_of_their_own(self) -> Self:
        names = [source.name for source in self.source]
        for key, more in (("source", []), ("signals", [signal.name for signal in self.signals])):
            names += more
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                wrong(f"two sources are called {twice[0]!r}", key=key, allowed="a name of its own for each")
        return self

    @property
    def zone(self) -> str:
        """The zone that all newsletters share; UTC where there is none such."""
        zones = {newsletter.zone for newsletter in self.newsletter.values()}
        return zones.pop() if len(zones) == 1 else "UTC"

    @property
    def servers(self) -> tuple[str, ...]:
        """The mail servers by their names: the first one, then the second if there is one."""
        return (self.smtp.server, self.fallback.server) if self.fallback.host else (self.smtp.server,)

    def path(self, path: Path | str) -> Path:
        """The absolute path of a configured one; ``~`` is the home folder."""
        return self.root.absolute() / Path(path).expanduser()

    def database_url(self) -> str:
        """The database as SQLAlchemy names it: an absolute file, or psycopg with the password filled in."""
        url = self.database.url
        scheme, _, rest = url.partition("://")
        if scheme == "sqlite":
            file, question, options = rest.removeprefix("/").partition("?")
            return f"sqlite:///{self.path(file)}{question}{options}"
        if self.database.password is not None:
            where, at, host = rest.rpartition("@")
            user = where.partition(":")[0]
            secret = quote(self.database.password.get_secret_value(), safe="")
            rest = f"{user}:{secret}{at or '@'}{host}"
        return f"postgresql+psycopg://{rest}"
