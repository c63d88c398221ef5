"""config.toml and DIGEST_ variables become settings, or an error that says what to change and where."""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config import Newsletter, Settings, Smtp, SmtpTls, load, read, schema
from digest.config.environment import name_of
from digest.config.example import example
from digest.errors import ConfigError, ConfigErrors

MINIMAL = """\
[newsletter.weekly]
name = "Weekly"
sender = "weekly@example.org"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(MINIMAL)
    return path


def refused(path: Path, text: str, **environ: str) -> ConfigError:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    return caught.value


# --- what is read -------------------------------------------------------------------------------------


def test_a_short_file_is_enough(config: Path) -> None:
    settings = load(config, {})

    assert settings.newsletter["weekly"].name == "Weekly"
    assert settings.newsletter["weekly"].lateness == dt.timedelta(hours=24)
    assert settings.root == config.parent
    assert settings.path("a/b") == config.parent / "a/b"
    assert settings.path("/a/b") == Path("/a/b")
    assert settings.database_url() == f"sqlite:///{config.parent}/digest.db"


def test_the_file_is_found_by_variable_or_in_this_folder(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load(None, {"DIGEST_CONFIG": str(config)}).root == tmp_path
    monkeypatch.chdir(tmp_path)
    assert load(None, {"DIGEST_CONFIG": ""}).root == tmp_path


def test_every_default_passes_its_own_check() -> None:
    settings = Settings(newsletter={"weekly": Newsletter(name="W", sender="w@example.org")})

    Settings.model_validate(settings.model_dump() | {"root": Path()})


def test_all_kinds_of_values_are_read(config: Path) -> None:
    (config.parent / "mine").mkdir()
    (config.parent / "ca.pem").touch()
    config.write_text(
        'templates = "mine"\n'
        '[database]\nurl = "postgresql://news@db/news"\npassword = "p@ss/w"\n'
        '[smtp]\ntls = "starttls"\nca_file = "ca.pem"\ntimeout = 5\nhelo = "mail.example.org"\n'
        '[alerts]\nto = ["ops@example.org"]\n'
        '[[source]]\nname = "front"\nurl = "feeds/front.xml"\nevery = "1h"\n'
        f'{MINIMAL}order = "latest"\nshow_figures = false\nwindow = "1d"\nlateness = "1d12h"\n'
    )
    settings = load(config, {})

    assert settings.smtp.tls is SmtpTls.starttls
    assert settings.smtp.timeout == 5.0
    assert settings.smtp.ca_file == config.parent / "ca.pem"
    assert settings.alerts.to == ("ops@example.org",)
    assert settings.source[0].every == dt.timedelta(hours=1)
    assert settings.newsletter["weekly"].lateness == dt.timedelta(hours=36)
    assert settings.database_url() == "postgresql+psycopg://news:p%40ss%2Fw@db/news"


def test_a_password_without_a_user_name_is_kept_in_the_address(config: Path) -> None:
    config.write_text('[database]\nurl = "postgres://db/news?sslmode=require"\npassword = "x"\n')

    assert load(config, {}).database_url() == "postgresql+psycopg://:x@db/news?sslmode=require"


def test_a_postgres_address_without_a_password_is_left_alone(config: Path) -> None:
    config.write_text('[database]\nurl = "postgresql:///news"\n')

    assert load(config, {}).database_url() == "postgresql+psycopg:///news"


def test_options_of_a_sqlite_address_are_kept(config: Path) -> None:
    config.write_text('[database]\nurl = "sqlite:////var/lib/digest.db?timeout=5"\n')

    assert load(config, {}).database_url() == "sqlite:////var/lib/digest.db?timeout=5"


def test_a_byte_order_mark_does_not_matter(config: Path) -> None:
    config.write_text("\ufeff" + MINIMAL, "utf-8")

    assert "weekly" in load(config, {}).newsletter


# --- what is refused ----------------------------------------------------------------------------------


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file") as caught:
        load(tmp_path / "config.toml", {})

    assert "digest init" in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b'a = "\xff"\n', 1, "UTF-8"),
        (b'\n\nsmtp = "open\n', 3, "not TOML"),
        (b"[smtp]\nport = 25\nport = 26\n", 3, "not TOML"),
        (b"a = [1,", 1, "not TOML"),
        (b"a = " + b"[" * 20_000, None, "nested too deeply"),
        (b"a = " + b"9" * 5000, None, "not TOML"),
        (b"#" * 1_000_001, None, "larger than a megabyte"),
    ],
)
def test_a_file_that_is_not_toml_is_refused_with_its_line(
    config: Path, content: bytes, line: int | None, problem: str
) -> None:
    config.write_bytes(content)
    with pytest.raises(ConfigError, match=problem) as caught:
        load(config, {})

    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("[smtp]\nhots = 'x'\n", 2, "smtp.hots", 'did you mean "host"?'),
        ("[smpt]\nhost = 'x'\n", 1, "smpt", 'did you mean "smtp"?'),
        ("[site]\nzzz = 1\n", 2, "site.zzz", "allowed: url, postal_address, listen"),
        ("root = '/'\n", 1, "root", "unknown key"),
        ("[smtp]\nport = '25'\n", 2, "smtp.port", 'found "25"; allowed: a whole number from 1 to 65535'),
        ("[smtp]\nport = 0\n", 2, "smtp.port", "too small; found 0"),
        ("[smtp]\nport = 25.5\n", 2, "smtp.port", "not a whole number; found 25.5"),
        ("[smtp]\nport = true\n", 2, "smtp.port", "not a whole number; found true"),
        ("[smtp]\ntls = 'ssl'\n", 2, "smtp.tls", '"auto" or "none" or "starttls" or "implicit"'),
        ("[smtp]\ntimeout = nan\n", 2, "smtp.timeout", "number"),
        ("[smtp]\nhost = ''\n", 2, "smtp.host", "empty"),
        ("[smtp]\nhost = 2026-01-01\n", 2, "smtp.host", "not a text; found 2026-01-01"),
        ("smtp = 5\n", 1, "smtp", "not a table; found 5; allowed: a table, written [smtp]"),
        ("newsletter = 5\n", 1, "newsletter", "a table, written [newsletter.SLUG]"),
        ("source = 5\n", 1, "source", "not a list"),
        ("[smtp]\nuser = 'x'\n", 2, "smtp.user", "no password"),
        ("[smtp]\npassword = 'x'\n", 1, "smtp.user", "no user"),
        (
            "[smtp]\nuser = 'u'\npassword = 'x'\npassword_file = 'y'\n",
            4,
            "smtp.password_file",
            "only one of the two",
        ),
        ("[smtp]\npassword_file = ''\n", 2, "smtp.password_file", "leave the key out"),
        ("[site]\nurl = 'ftp://x'\n", 2, "site.url", "begins with https://"),
        ("[site]\nurl = 'https://x/?a=b'\n", 2, "site.url", "no ?query"),
        ("[site]\nurl = 'https://u@x/'\n", 2, "site.url", "user name"),
        ("[site]\nurl = 'https://x:99999/'\n", 2, "site.url", "not a web address"),
        ("[site]\nlisten = '8765'\n", 2, "site.listen", "host:port"),
        ("[site]\nlisten = '::1:80'\n", 2, "site.listen", "brackets"),
        ("[alerts]\nto = ['a@example.org', 'b']\n", 2, "alerts.to[2]", 'found "b"'),
        ("[database]\nurl = 'digest.db'\n", 2, "database.url", "sqlite:///FILE"),
        ("[database]\nurl = 'sqlite://'\n", 2, "database.url", "memory"),
        ("[[source]]\nname = 'a'\n", 1, "source[1].url", "missing"),
        ("[[source]]\nname = 'a'\nurl = 'gopher://x'\n", 3, "source[1].url", "web address"),
        ("[[source]]\nname = 'a'\nurl = ''\n", 3, "source[1].url", "empty"),
        ("[[source]]\nname = 'a'\nurl = 'x'\nevery = '5s'\n", 4, "source[1].every", "at least 1m"),
        (
            "[[source]]\nname = 'a'\nurl = 'x'\n[[source]]\nname = 'a'\nurl = 'y'\n",
            1,
            "source",
            "two sources are called 'a'",
        ),
        ("[newsletter.Weekly]\nname='x'\nsender='a@b'\n", 1, "newsletter.Weekly", "small letters"),
        ("[newsletter.weekly]\nsender = 'a@b'\n", 1, "newsletter.weekly.name", "missing"),
        (f"{MINIMAL}sedner = 'x'\n", 4, "newsletter.weekly.sedner", 'did you mean "sender"?'),
        (f"{MINIMAL}minimum = 11\n", 4, "newsletter.weekly.minimum", "at most count, which is 10"),
        (f"{MINIMAL}zone = 'Europe/Lundon'\n", 4, "newsletter.weekly.zone", '"Europe/London"'),
        (f"{MINIMAL}zone = '../etc/passwd'\n", 4, "newsletter.weekly.zone", "no such time zone"),
        (f"{MINIMAL}build = 'moonday 06:00'\n", 4, "newsletter.weekly.build", '"mon 06:00"'),
        (f"{MINIMAL}build = '06:00'\n", 4, "newsletter.weekly.build", "needs the day as well"),
        (f"{MINIMAL}lock = 'mon 06:00'\n", 4, "newsletter.weekly.lock", "not after build (mon 06:00)"),
        (f"{MINIMAL}send = 'tue 07:00'\n", 4, "newsletter.weekly.send", "not after lock (tue 08:00)"),
        (f"{MINIMAL}lateness = '0'\n", 4, "newsletter.weekly.lateness", "more than 0"),
        (f"{MINIMAL}lateness = 24\n", 4, "newsletter.weekly.lateness", "not a duration"),
        (f"{MINIMAL}lateness = '99999d'\n", 4, "newsletter.weekly.lateness", "ten years"),
        (f"{MINIMAL}accent = 'red'\n", 4, "newsletter.weekly.accent", "#9E1B32"),
        (f"{MINIMAL}language = 'english!'\n", 4, "newsletter.weekly.language", "pt-BR"),
        (f'{MINIMAL}title = "a\\nBcc: x"\n', 4, "newsletter.weekly.title", "line break"),
        (f'{MINIMAL}editors = ["a@b\\r\\n"]\n', 4, "newsletter.weekly.editors[1]", "control character"),
        (f"{MINIMAL}reply_to = 'a b@c'\n", 4, "newsletter.weekly.reply_to", "does not belong"),
        (f"{MINIMAL}return_path_domain = '-x.org'\n", 4, "newsletter.weekly.return_path_domain", "domain"),
        ("templates = 'nowhere'\n", 1, "templates", "no such folder"),
        ("[smtp]\nca_file = 'nowhere.pem'\n", 2, "smtp.ca_file", "no such file"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(
    config: Path, text: str, line: int, key: str, says: str
) -> None:
    error = refused(config, text)

    assert not isinstance(error, ConfigErrors), error
    assert error.line == line
    assert error.key == key
    assert says in str(error)
    assert str(error).startswith(f"{config}:{line}: {key}: ")
    assert error.exit_code == 2


def test_everything_wrong_is_listed_at_once_in_the_order_of_the_file(config: Path) -> None:
    error = refused(
        config,
        f"[smtp]\nport = 0\nhots = 1\n{MINIMAL}count = 99\n",
        DIGEST_SMPT__PORT="1",
        DIGEST_SITE__LISTEN="x",
    )

    assert isinstance(error, ConfigErrors)
    assert [each.line for each in error.errors] == [2, 3, 7, None, None]
    assert "5 settings are wrong:" in str(error)
    assert "DIGEST_SITE__LISTEN (site.listen)" in str(error)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"[smtp]\npasword = '{SECRET}'\n",
        f"[smtp]\nuser = 'u'\npassword = ['{SECRET}']\n",
        f"[smtp]\nuser = 'u'\npassword = '{SECRET}\n",
        f'[smtp]\nuser = "u"\npassword = "{SECRET}\\n"\n',
        f"[smtp]\npassword = '{SECRET}'\n",
        f"[smpt]\npassword = '{SECRET}'\n",
        f"[database]\nurl = 'mysql://me:{SECRET}@db/x'\n",
        f"[database]\nurl = 'postgresql://me@db/x'\npassword = '{SECRET}'\npassword_file = 'x'\n",
    ],
)
def test_no_secret_gets_into_a_message(config: Path, text: str) -> None:
    error = refused(config, text, DIGEST_SMTP__PASWORD=SECRET)

    assert SECRET not in str(error)
    assert SECRET not in repr(error)
    assert error.__suppress_context__ or error.__context__ is None


def test_settings_do_not_show_their_secrets(config: Path) -> None:
    config.write_text(
        f"[smtp]\nuser = 'u'\npassword = '{SECRET}'\n[database]\nurl = 'postgresql://u:{SECRET}@h/x'\n"
    )

    assert SECRET not in repr(load(config, {}))


# --- variables ----------------------------------------------------------------------------------------


def test_variables_go_over_the_file(config: Path) -> None:
    loaded = read(
        config,
        {
            "DIGEST_SMTP__PORT": "587",
            "DIGEST_SMTP__TIMEOUT": "2.5",
            "DIGEST_ALERTS__TO": "a@example.org, b@example.org,",
            "DIGEST_NEWSLETTER__WEEKLY__COUNT": "7",
            "DIGEST_NEWSLETTER__WEEKLY__SHOW_FIGURES": "no",
            "DIGEST_NEWSLETTER__WEEKLY__LATENESS": "36h",
            "DIGEST_CONFIG": "elsewhere",
            "DIGEST_DEBUG": "1",
            "DIGEST_TESTS_COMPLETE": "1",
            "OTHER": "x",
        },
    )
    weekly = loaded.settings.newsletter["weekly"]

    assert loaded.settings.smtp.port == 587
    assert loaded.settings.smtp.timeout == 2.5
    assert loaded.settings.alerts.to == ("a@example.org", "b@example.org")
    assert (weekly.count, weekly.show_figures, weekly.lateness) == (7, False, dt.timedelta(hours=36))
    assert loaded.origin(("smtp", "port")) == "DIGEST_SMTP__PORT"
    assert loaded.origin(("newsletter", "weekly", "name")) == "config.toml:2"
    assert loaded.origin(("site", "url")) == "default"


def test_a_slug_with_dashes_is_reached_by_underscores(config: Path) -> None:
    config.write_text(MINIMAL.replace("weekly]", "my--week]"))

    assert load(config, {"DIGEST_NEWSLETTER__MY__WEEK__COUNT": "4"}).newsletter["my--week"].count == 4


def test_an_empty_variable_takes_back_what_may_be_left_out(config: Path) -> None:
    config.write_text("[smtp]\nca_file = 'nowhere'\n")

    assert load(config, {"DIGEST_SMTP__CA_FILE": ""}).smtp.ca_file is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("DIGEST_SMPT__PORT", "did you mean DIGEST_SMTP__PORT?"),
        ("DIGEST_SMTP_PORT", "did you mean DIGEST_SMTP__PORT?"),
        ("DIGEST_SMTP__", "no such setting"),
        ("DIGEST_NEWSLETTER__WEEKLY__COUMT", "did you mean DIGEST_NEWSLETTER__WEEKLY__COUNT?"),
        ("DIGEST_NEWSLETTER__ABSOLUTELY_OTHER__X", "a newsletter of config.toml (weekly)"),
        ("DIGEST_SOURCE__0__URL", "in config.toml only"),
        ("DIGEST_ROOT", "no such setting"),
        ("DIGEST_SMTP", "no such setting"),
        ("DIGEST_CONFIK", "did you mean DIGEST_CONFIG?"),
        ("DIGEST_QQQQ", "DIGEST_SECTION__KEY"),
    ],
)
def test_a_variable_that_sets_nothing_is_refused(config: Path, name: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(config, {name: SECRET})

    assert str(caught.value).startswith(f"{name}: ")
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DIGEST_SMTP__PORT", "many"),
        ("DIGEST_SMTP__PORT", ""),
        ("DIGEST_SMTP__TIMEOUT", "1e999"),
        ("DIGEST_NEWSLETTER__WEEKLY__SHOW_FIGURES", "perhaps"),
    ],
)
def test_a_variable_with_a_wrong_value_is_named(config: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(config, {name: value})

    assert name in caught.value.key
    assert caught.value.found == f'"{value}"'
    assert caught.value.file == ""


def test_a_variable_into_what_is_no_table_leaves_the_error_of_the_file(config: Path) -> None:
    error = refused(config, "smtp = 5\n", DIGEST_SMTP__PORT="25")

    assert error.key == "smtp"


def scalar_keys() -> list[tuple[tuple[str, ...], Any]]:
    keys: list[tuple[tuple[str, ...], Any]] = []
    for section in schema.sections():
        base = ("newsletter", "weekly") if section.shape is schema.Shape.named else (section.name,)
        if section.shape is not schema.Shape.array:
            keys += [((*base, name), field) for name, field in section.model.model_fields.items()]
    return keys


@pytest.mark.parametrize(("path", "field"), scalar_keys(), ids=lambda value: str(value)[:60])
def test_every_key_can_be_set_by_its_variable(config: Path, path: tuple[str, ...], field: Any) -> None:
    value = schema.default(field)
    if value in (None, "", ()):
        samples = {"reply_to": "a@example.org", "to": "a@example.org", "editors": "a@example.org"}
        samples |= {"complaints": "a@example.org", "unsigned": "message-id"}
        text = samples.get(path[-1]) or str(next(iter(field.examples or ["example.org"])))
        text = {"postal_address": "Street 1", "logo": "https://example.org/l.png"}.get(path[-1], text)
    else:
        text = schema.written(value).strip('"')
    environ = {name_of(path): text}
    if path[-1].startswith("password") or path[-1] == "ca_file":
        (config.parent / text).write_text("secret")
    if path[:2] == ("smtp", "user"):
        environ["DIGEST_SMTP__PASSWORD"] = "x"
    if path[0] == "smtp" and "password" in path[-1]:
        environ["DIGEST_SMTP__USER"] = "x"

    assert read(config, environ).origin(path) == name_of(path)


# --- secrets in files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["smtp", "database"])
def test_a_password_is_read_from_its_file(config: Path, section: str) -> None:
    (config.parent / "secret").write_text(f"{SECRET}\n")
    user = "user = 'u'\n" if section == "smtp" else ""
    config.write_text(f"[{section}]\n{user}password_file = 'secret'\n")
    password = getattr(load(config, {}), section).password

    assert password.get_secret_value() == SECRET


def test_a_variable_may_name_the_file_or_give_the_password_instead_of_the_file_it_names(config: Path) -> None:
    (config.parent / "one").write_text("first")
    (config.parent / "two").write_text("second")
    config.write_text("[smtp]\nuser = 'u'\npassword_file = 'one'\n")

    def password(**environ: str) -> str:
        found = load(config, environ).smtp.password
        assert found is not None
        return found.get_secret_value()

    assert password() == "first"
    assert password(DIGEST_SMTP__PASSWORD_FILE="two") == "second"
    assert password(DIGEST_SMTP__PASSWORD="third") == "third"
    config.write_text("[smtp]\nuser = 'u'\npassword = 'fourth'\n")
    assert password(DIGEST_SMTP__PASSWORD_FILE="two") == "second"
    with pytest.raises(ConfigError, match="only one of the two"):
        password(DIGEST_SMTP__PASSWORD_FILE="two", DIGEST_SMTP__PASSWORD="x")


@pytest.mark.parametrize("content", [None, b"", b"\n", b"two\nlines\n", b"\xff"])
def test_a_password_file_that_holds_none_is_refused(config: Path, content: bytes | None) -> None:
    if content is not None:
        (config.parent / "secret").write_bytes(content)
    error = refused(config, "[smtp]\nuser = 'u'\npassword_file = 'secret'\n")

    assert error.key == "smtp.password_file"
    assert error.line == 3
    assert "two" not in str(error).replace(str(config.parent), "")


def test_a_password_file_named_by_a_variable_is_named_in_its_error(config: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(config, {"DIGEST_SMTP__USER": "u", "DIGEST_SMTP__PASSWORD_FILE": "nowhere"})

    assert caught.value.key == "DIGEST_SMTP__PASSWORD_FILE (smtp.password_file)"


# --- the small helpers of sections --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("relay.example.org", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:
    assert Smtp(host=host).loopback is loopback


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:8765", "::1", 8765), ("a.b:1", "a.b", 1)],
)
def test_listen_is_split(config: Path, listen: str, host: str, port: int) -> None:
    site = load(config, {"DIGEST_SITE__LISTEN": listen}).site

    assert (site.listen_host, site.listen_port) == (host, port)


@pytest.mark.parametrize(
    "address", ["a@b", "first.last+tag@xn--mnchen-3ya.de", "ü@münchen.de", "o'neil@example.co.uk"]
)
def test_addresses_of_every_kind_are_accepted(config: Path, address: str) -> None:
    assert load(config, {"DIGEST_NEWSLETTER__WEEKLY__SENDER": address}).newsletter["weekly"].sender == address


@pytest.mark.parametrize(
    "address",
    ["", "a", "@b", "a@", "a@b@", "a..b@c", ".a@c", "a@b..c", "a@-b", "a" * 65 + "@b", "a@" + "b" * 64],
)
def test_what_is_no_address_is_refused(config: Path, address: str) -> None:
    with pytest.raises(ConfigError):
        load(config, {"DIGEST_NEWSLETTER__WEEKLY__SENDER": address})


@pytest.mark.parametrize(
    ("start", "build", "lock", "send"),
    [
        ("00:00", "06:00", "07:00", "08:00"),
        ("18:00", "18:00", "06:00", "07:00"),
        ("mon 00:00", "sun 06:00", "07:00", "08:00"),
    ],
)
def test_a_daily_newsletter_needs_times_only(start: str, build: str, lock: str, send: str) -> None:
    Newsletter(
        name="D", sender="d@example.org", window="1d", window_start=start, build=build, lock=lock, send=send
    )


# --- the commented example ----------------------------------------------------------------------------


def uncommented(text: str) -> str:
    return "".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in text.splitlines(keepends=True)
    )


def test_taking_the_marks_away_sets_every_default() -> None:
    values: dict[schema.KeyPath, object] = {
        ("newsletter", "weekly", "name"): "W",
        ("newsletter", "weekly", "sender"): "w@example.org",
    }
    document = tomllib.loads(uncommented(example(values)))
    defaults = tomllib.loads(example(values))

    assert set(defaults) == {"database", "smtp", "sending", "site", "keys", "dkim", "alerts", "newsletter"}
    for section in schema.sections():
        kept = document[section.name]
        table = kept[0] if isinstance(kept, list) else kept.get("weekly", kept)
        assert list(table) == list(section.model.model_fields)
        for name, field in section.model.model_fields.items():
            value = schema.default(field)
            if value is not None:
                assert tomllib.loads(f"v = {schema.written(value)}")["v"] == table[name]


def test_lines_of_the_example_stay_short() -> None:
    assert max(len(line) for line in example({}).splitlines()) <= 100


# --- whatever stands there ----------------------------------------------------------------------------

toml_scalars = st.one_of(
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.floats(),
    st.text(alphabet=st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=8),
    st.sampled_from(["7d", "mon 06:00", "a@b", "https://x", "sqlite:///x", "1d", "#fff"]),
    st.lists(st.integers() | st.sampled_from(["a@b", ""]), max_size=2),
    st.dictionaries(st.sampled_from(["name", "x"]), st.integers(), max_size=1),
)
ALL_KEYS = [
    (section.name, name) for section in schema.sections() for name in (*section.model.model_fields, "unknown")
]


@given(st.dictionaries(st.sampled_from(ALL_KEYS), toml_scalars, max_size=4), st.booleans())
def test_any_toml_gives_settings_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, pairs: dict[tuple[str, str], Any], named: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    text = ""
    for (section, key), value in pairs.items():
        header = {"source": "[[source]]", "newsletter": "[newsletter.weekly]"}.get(section, f"[{section}]")
        if f"{header}\n" in text and section != "source":
            header = ""
        text += f"{header}\n{key} = {schema.written(value)}\n" if header else ""
    path.write_text(text, "utf-8")
    try:
        load(path, {"DIGEST_SMTP__PORT": "x" if named else "25"})
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
