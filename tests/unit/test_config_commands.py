"""`digest init` makes a folder that works at once; `digest config` checks and shows what is in effect."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from digest import cli
from digest.cli.init import RELAYS, TRIAL, first_config
from digest.config import load
from digest.store import Database
from digest.tokens import KeyRing


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(cli.command, list(arguments), env=environ)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm"))}


# --- init ---------------------------------------------------------------------------------------------


def test_init_makes_configuration_keys_and_database(tmp_path: Path) -> None:
    result = run("init", str(tmp_path / "deep" / "news"))
    folder = tmp_path / "deep" / "news"

    assert result.exit_code == 0, result.output
    assert files(folder) == {"config.toml", "digest.keys", "digest.db"}
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    settings = load(folder / "config.toml", {})
    Database(settings.database_url()).check()
    KeyRing.load(settings.path(settings.keys.file))
    assert list(settings.newsletter) == ["weekly"]
    assert "digest inbox" in result.stderr
    assert f"cd {folder}" in result.stderr
    assert result.stdout == ""


def test_a_fresh_installation_can_mail_nobody_but_its_own_inbox(tmp_path: Path) -> None:
    run("init", str(tmp_path))
    smtp = load(tmp_path / "config.toml", {}).smtp

    assert smtp.loopback
    assert smtp.port == 2525


def test_init_in_the_present_folder_does_not_say_cd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("init", ".")

    assert result.exit_code == 0
    assert "cd " not in result.stderr
    assert run("config", "check").exit_code == 0


@pytest.mark.parametrize("present", ["config.toml", "digest.keys", "digest.db"])
def test_init_never_overwrites(tmp_path: Path, present: str) -> None:
    (tmp_path / present).write_text("mine")
    result = run("init", str(tmp_path))

    assert result.exit_code == 2
    assert f"{present} exists already" in result.stderr
    assert files(tmp_path) == {present}
    assert (tmp_path / present).read_text() == "mine"


def test_init_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "digest.db"))

    monkeypatch.setattr(Database, "create_or_upgrade", full)
    result = run("init", str(tmp_path))

    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
    assert files(tmp_path) == set()


def test_init_under_a_file_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("init", str(tmp_path / "file" / "news"))

    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("relay", RELAYS)
def test_every_relay_gives_a_valid_configuration(tmp_path: Path, relay: str) -> None:
    result = run("init", str(tmp_path), "--relay", relay)
    smtp = load(tmp_path / "config.toml", {}).smtp

    assert result.exit_code == 0, result.output
    assert (smtp.host, smtp.port, smtp.tls.value) == (
        RELAYS[relay].host,
        RELAYS[relay].port,
        RELAYS[relay].tls,
    )
    assert smtp.port in (25, 587)
    assert smtp.loopback == (relay == "postfix")
    checked = run("config", "check", "--config", str(tmp_path / "config.toml"))
    assert checked.exit_code == 0
    assert "weekly@example.org, from which nobody can send" in checked.stderr


@pytest.mark.parametrize("relay", [relay for relay in RELAYS if RELAYS[relay].suggestions])
def test_the_sign_in_of_a_relay_is_set_by_taking_the_marks_away(tmp_path: Path, relay: str) -> None:
    text = first_config(RELAYS[relay])
    for key in RELAYS[relay].suggestions:
        text = text.replace(f"#{key} = ", f"{key} = ", 2 if key == "password_file" else 1)
    text = text.replace('password_file = "database.password"', "")
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "smtp.password").write_text("hunter2\n")
    smtp = load(tmp_path / "config.toml", {}).smtp

    assert smtp.user == RELAYS[relay].suggestions["user"]
    assert smtp.password is not None
    assert smtp.password.get_secret_value() == "hunter2"


# --- check --------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with its key file, as `digest init` leaves it."""
    path = tmp_path / "config.toml"
    path.write_text(first_config(TRIAL))
    path.chmod(0o600)
    KeyRing.load(tmp_path / "digest.keys", create=True)
    return path


def test_check_of_a_fresh_configuration_has_nothing_to_say(config: Path) -> None:
    result = run("config", "check", "--config", str(config))

    assert result.exit_code == 0
    assert result.stdout == f"{config}: ok (newsletters: weekly; sources: 0)\n"
    assert result.stderr == ""


def test_check_lists_everything_wrong_and_exits_2(config: Path) -> None:
    config.write_text("[smtp]\nport = 0\nhots = 1\n")
    result = run("config", "check", "--config", str(config))

    assert result.exit_code == 2
    assert f"{config}:2: smtp.port" in result.stderr
    assert f"{config}:3: smtp.hots" in result.stderr
    assert "Traceback" not in result.stderr


def test_check_refuses_a_missing_or_open_key_file(config: Path) -> None:
    keys = config.parent / "digest.keys"
    keys.chmod(0o644)
    result = run("config", "check", "--config", str(config))
    assert result.exit_code == 2
    assert f"Run: chmod 600 {keys}" in result.stderr

    keys.unlink()
    result = run("config", "check", "--config", str(config))
    assert result.exit_code == 2
    assert "there is no key file" in result.stderr


def test_check_notes_what_will_not_do_for_real_sending(config: Path) -> None:
    config.write_text(
        '[smtp]\nhost = "relay.example.net"\nport = 465\ntls = "none"\nuser = "u"\npassword = "p"\n'
        '[newsletter.weekly]\nname = "W"\nsender = "w@Example.org"\nsender_name = "News 🗞"\n'
    )
    config.chmod(0o644)
    result = run("config", "check", "--json", "--config", str(config))
    document = json.loads(result.stdout)

    assert document["ok"] is True
    said = "\n".join(document["notes"])
    for part in (
        "chmod 600",
        "implicit TLS",
        "cross a network",
        "RFC 8058",
        "postal",
        "nobody can send",
        "picture",
    ):
        assert part in said
    assert len(document["notes"]) == 7


def test_check_looks_at_the_keys_that_sign(config: Path) -> None:
    config.write_text(
        '[smtp]\nhost = "relay.newsroom.example.se"\n[dkim]\nrequired = ["newsroom.se"]\n'
        '[newsletter.weekly]\nname = "W"\nsender = "w@newsroom.se"\n[newsletter.daily]\nname = "D"\n'
        'sender = "d@paper.se"\n'
    )
    check = ("config", "check", "--config", str(config))
    refused = run(*check)
    assert refused.exit_code == 2
    assert "mail from newsroom.se has to be signed" in refused.stderr

    dkim = ("--config", str(config), "dkim")
    run(*dkim, "keygen", "newsroom.se", "--selector", "s1")
    run(*dkim, "activate", "newsroom.se", "s1")
    said = run(*check)
    assert said.exit_code == 0
    assert "newsletter.daily is not signed here: the relay has to sign for paper.se" in said.stderr
    assert "newsletter.weekly is not signed" not in said.stderr


def test_check_notes_attachments_and_signed_domains_that_are_not_there(config: Path) -> None:
    (config.parent / "rota.pdf").write_bytes(b"%PDF-")
    config.write_text(
        '[dkim]\nrequired = ["newsroom.test", "nwesroom.test"]\n[newsletter.weekly]\nname = "W"\n'
        'sender = "w@mail.newsroom.test"\nattachments = ["rota.pdf", "menu.pdf"]\n'
    )
    dkim = ("--config", str(config), "dkim")
    run(*dkim, "keygen", "newsroom.test", "--selector", "s1")
    run(*dkim, "activate", "newsroom.test", "s1")
    notes = json.loads(run("config", "check", "--json", "--config", str(config)).stdout)["notes"]
    menu = config.parent / "menu.pdf"
    assert notes[:2] == [
        f"newsletter.weekly.attachments[2]: there is no file {menu}; no edition is built",
        "dkim.required names nwesroom.test, from which no newsletter is sent",
    ]


def test_a_share_is_told_its_limits(config: Path) -> None:
    config.write_text("[sending]\nhard_bounce_limit = 5\n")
    said = run("config", "check", "--config", str(config)).stderr
    assert "sending.hard_bounce_limit: too large; found 5; allowed: a number from 0 and less than 1" in said


def test_check_notes_that_there_is_no_newsletter(config: Path) -> None:
    config.write_text("")
    result = run("config", "check", "--config", str(config))

    assert result.exit_code == 0
    assert "there is no newsletter" in result.stderr


# --- show ---------------------------------------------------------------------------------------------


def test_show_tells_each_value_and_where_it_comes_from(config: Path) -> None:
    lines = config.read_text().splitlines()
    name_line = lines.index('name = "Weekly"') + 1
    result = run("config", "show", "--config", str(config), DIGEST_SMTP__PORT="587")
    shown = result.stdout.splitlines()

    assert shown[0] == f"# {config}"
    assert "smtp.port = 587  # DIGEST_SMTP__PORT" in shown
    assert f'newsletter.weekly.name = "Weekly"  # config.toml:{name_line}' in shown
    assert 'newsletter.weekly.lateness = "1d"  # default' in shown
    assert "templates = (not set)  # default" in shown


def test_show_masks_every_secret(config: Path) -> None:
    (config.parent / "secret").write_text("hunter2")
    config.write_text(
        '[smtp]\nuser = "u"\npassword_file = "secret"\n'
        '[database]\nurl = "postgresql://u:hunter2@h/x"\npassword = "hunter2"\n'
        '[[source]]\nname = "a"\nurl = "https://u:hunter2@h/feed"\n'
    )
    for arguments in (["--json"], []):
        result = run("config", "show", *arguments, "--config", str(config))
        assert result.exit_code == 0
        assert "hunter2" not in result.output

    document = json.loads(run("config", "show", "--json", "--config", str(config)).stdout)
    shown = {each["key"]: (each["value"], each["origin"]) for each in document["settings"]}
    assert shown["smtp.password"] == ("********", "config.toml:3")
    assert shown["database.password"] == ("********", "config.toml:6")
    assert shown["database.url"] == ("postgresql://u:********@h/x", "config.toml:5")
    assert shown["source[1].url"][0] == "https://u:********@h/feed"


def test_the_example_of_the_repository_is_valid() -> None:
    top = Path(cli.__file__).resolve().parents[2]

    assert load(top / "config.toml", {}).newsletter["weekly"].count == 10
    assert os.access(top / "docs" / "configuration.md", os.R_OK)
