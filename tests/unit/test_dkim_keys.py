"""The folder of DKIM keys and `digest dkim`: what is made, which key signs, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from digest import cli
from digest.errors import ConfigError, UsageError
from digest.work.dkim_keys import KeyFolder

NOW = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "dkim"


@pytest.fixture
def keys(folder: Path) -> KeyFolder:
    return KeyFolder(folder)


def selectors(keys: KeyFolder, domain: str) -> list[str]:
    return [key.selector for key in keys.signing(domain)]


def test_a_new_key_is_private_and_does_not_sign_yet(keys: KeyFolder, folder: Path) -> None:
    made = keys.make("example.org", ed25519=True, at=NOW)

    assert made.selector == "s20261116"
    assert [key.name for key in made.keys] == [
        "s20261116._domainkey.example.org",
        "s20261116-ed25519._domainkey.example.org",
    ]
    assert not made.signs
    assert keys.signing("example.org") == ()
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_an_active_key_signs_rsa_first(keys: KeyFolder) -> None:
    keys.make("example.org", "s1", ed25519=True, at=NOW)
    assert keys.activate("example.org", "s1", at=NOW).signs

    assert selectors(keys, "example.org") == ["s1", "s1-ed25519"]
    assert [key.algorithm for key in keys.signing("example.org")] == ["rsa-sha256", "ed25519-sha256"]


def test_the_nearest_domain_above_signs_too(keys: KeyFolder) -> None:
    for domain in ("example.org", "news.example.org"):
        keys.make(domain, "of-" + domain.replace(".", "-"), ed25519=False, at=NOW)
    keys.activate("example.org", "of-example-org", at=NOW)

    assert selectors(keys, "news.example.org") == ["of-example-org"]
    keys.activate("news.example.org", "of-news-example-org", at=NOW)
    assert selectors(keys, "daily.news.example.org") == ["of-news-example-org"]
    assert selectors(keys, "EXAMPLE.org") == ["of-example-org"]
    assert keys.signing("badexample.org") == ()
    assert keys.signing("org") == ()
    assert keys.domains() == ["example.org", "news.example.org"]


def test_international_domains_have_their_ascii_folder(keys: KeyFolder, folder: Path) -> None:
    keys.make("bücher.example", "s1", ed25519=False, at=NOW)

    assert [path.name for path in folder.iterdir()] == ["xn--bcher-kva.example"]
    assert keys.kept("bücher.example")[0].domain == "xn--bcher-kva.example"


def test_rotation_retires_the_old_key_and_keeps_its_file(keys: KeyFolder) -> None:
    keys.make("example.org", "old", ed25519=False, at=NOW)
    keys.activate("example.org", "old", at=NOW)
    keys.make("example.org", "new", ed25519=False, at=NOW)
    assert selectors(keys, "example.org") == ["old"]

    keys.activate("example.org", "new", at=LATER)
    assert selectors(keys, "example.org") == ["new"]
    new, old = keys.kept("example.org")
    assert (new.selector, new.signs, new.removable) == ("new", True, None)
    assert (old.selector, old.signs, old.retired) == ("old", False, LATER)
    assert old.removable == LATER + dt.timedelta(days=7)

    keys.activate("example.org", "new", at=LATER + dt.timedelta(days=30))
    assert keys.kept("example.org")[1].retired == LATER
    keys.activate("example.org", "old", at=LATER)
    assert [(each.selector, each.retired) for each in keys.kept("example.org")] == [
        ("old", None),
        ("new", LATER),
    ]


def test_names_of_one_day_differ(keys: KeyFolder) -> None:
    made = [keys.make("example.org", ed25519=False, at=NOW).selector for _ in range(3)]

    assert made == ["s20261116", "s20261116b", "s20261116c"]


@pytest.mark.parametrize("selector", ["S1", "a.b", "-a", "a-", "a" * 51, "../x", "s1-ed25519", "a b"])
def test_what_is_no_selector_is_refused(keys: KeyFolder, folder: Path, selector: str) -> None:
    with pytest.raises(UsageError, match="is not a selector"):
        keys.make("example.org", selector, ed25519=False, at=NOW)
    assert not folder.exists()


@pytest.mark.parametrize("domain", ["", "../x", "a b", "ex_ample.org", "a/b"])
def test_what_is_no_domain_is_refused(keys: KeyFolder, domain: str) -> None:
    with pytest.raises(UsageError, match="domain"):
        keys.make(domain, ed25519=False, at=NOW)


def test_a_selector_never_gets_another_key(keys: KeyFolder) -> None:
    keys.make("example.org", "s1", ed25519=False, at=NOW)
    with pytest.raises(UsageError, match="has a selector s1 already"):
        keys.make("example.org", "s1", ed25519=False, at=NOW)


def test_activating_what_is_not_there_names_what_is(keys: KeyFolder) -> None:
    with pytest.raises(UsageError, match="no selector 's1'") as caught:
        keys.activate("example.org", "s1", at=NOW)
    assert "digest dkim keygen example.org" in caught.value.hint
    keys.make("example.org", "s2", ed25519=False, at=NOW)
    with pytest.raises(UsageError) as caught:
        keys.activate("example.org", "s1", at=NOW)
    assert "It has: s2" in caught.value.hint


def active(keys: KeyFolder, folder: Path) -> Path:
    keys.make("example.org", "s1", ed25519=False, at=NOW)
    keys.activate("example.org", "s1", at=NOW)
    return folder / "example.org" / "s1.rsa.pem"


def test_a_missing_key_stops_the_mail(keys: KeyFolder, folder: Path) -> None:
    active(keys, folder).unlink()
    with pytest.raises(ConfigError, match="its key is missing") as caught:
        keys.signing("news.example.org")
    assert "s1.rsa.pem" in str(caught.value)


def test_a_key_that_others_may_read_is_refused(keys: KeyFolder, folder: Path) -> None:
    active(keys, folder).chmod(0o644)
    with pytest.raises(ConfigError, match="others may read") as caught:
        keys.signing("example.org")
    assert "chmod 600" in caught.value.hint


def test_a_damaged_key_is_named_and_not_quoted(keys: KeyFolder, folder: Path) -> None:
    path = active(keys, folder)
    path.write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ConfigError, match="no signing key") as caught:
        keys.signing("example.org")
    assert caught.value.file == str(path)
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"active": "s1", "retired": {"x": "yesterday"}}', "null"]
)
def test_a_damaged_list_of_selectors_is_refused(keys: KeyFolder, folder: Path, content: str) -> None:
    active(keys, folder)
    (folder / "example.org" / "selectors.json").write_text(content)
    with pytest.raises(ConfigError, match="list of selectors is damaged"):
        keys.signing("example.org")


def test_a_domain_that_has_to_be_signed_never_goes_unsigned(folder: Path) -> None:
    keys = KeyFolder(folder, required=("Example.org",))
    assert keys.signing("example.com") == ()
    for domain in ("example.org", "news.example.org"):
        with pytest.raises(ConfigError, match="has to be signed") as caught:
            keys.signing(domain)
        assert f"digest dkim keygen {domain}" in caught.value.hint
    active(keys, folder)
    assert selectors(keys, "news.example.org") == ["s1"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "dkim").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be made"):
        KeyFolder(tmp_path / "dkim").make("example.org", ed25519=False, at=NOW)


# --- the commands -------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("[newsletter.weekly]\nname = 'W'\nsender = 'news@example.org'\n")
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli.command, ["--config", str(config), "dkim", *arguments])


def test_from_the_first_key_to_the_next(config: Path) -> None:
    assert "the relay has to sign" in run(config, "show").stderr

    made = run(config, "keygen", "example.org", "--selector", "s1", "--ed25519")
    assert made.exit_code == 0, made.output
    assert "example.org, selector s1: does not sign yet" in made.stdout
    assert "digest dkim activate example.org s1" in made.stderr

    assert "signs with s1 from now on" in run(config, "activate", "example.org", "s1").stdout
    assert "example.org, selector s1: signs\n" in run(config, "show", "example.org").stdout
    assert "digest dkim rotate example.org" in run(config, "keygen", "example.org").output

    rotated = json.loads(run(config, "rotate", "example.org", "--selector", "s2", "--json").stdout)
    assert [record["algorithm"] for record in rotated[0]["records"]] == ["rsa-sha256", "ed25519-sha256"]
    assert (rotated[0]["selector"], rotated[0]["signs"]) == ("s2", False)

    activated = run(config, "activate", "example.org", "s2")
    assert "s1: leave its record in DNS until" in activated.stderr
    assert "selector s1: signs no more; its record may go after" in run(config, "show").stdout
    facts = json.loads(run(config, "activate", "example.org", "s2", "--json").stdout)
    assert [(each["selector"], each["signs"]) for each in facts] == [("s2", True), ("s1", False)]


def test_records_are_shown_for_zone_files_and_for_web_forms(config: Path) -> None:
    shown = run(config, "keygen", "example.org", "--selector", "s1").stdout
    [record] = json.loads(run(config, "show", "--json").stdout)[0]["records"]

    assert record["value"] in shown.splitlines()
    assert record["zone"] in shown.splitlines()
    assert record["zone"].startswith("s1._domainkey.example.org. 3600 IN TXT ( ")
    strings = re.findall(r'"([^"]*)"', record["zone"])
    assert "".join(strings) == record["value"]
    assert len(strings) == 2
    assert max(map(len, strings)) == 255
    assert "PRIVATE" not in shown


@pytest.mark.parametrize("command", [["rotate", "example.org"], ["show", "example.org"]])
def test_without_a_key_the_way_to_one_is_shown(config: Path, command: list[str]) -> None:
    result = run(config, *command)
    assert result.exit_code == 2
    assert "digest dkim keygen example.org" in result.stderr


def test_a_key_that_does_not_sign_yet_is_activated_before_it_is_followed(config: Path) -> None:
    run(config, "keygen", "example.org", "--selector", "s1")
    result = run(config, "rotate", "example.org")
    assert result.exit_code == 2
    assert "digest dkim activate example.org s1" in result.stderr


def test_an_address_is_no_domain_and_the_hint_says_which_part_is(config: Path) -> None:
    result = run(config, "keygen", "ada@example.org")
    assert result.exit_code == 2
    assert "behind the @" in result.stderr


def test_a_lost_key_is_replaced_as_the_error_says(config: Path) -> None:
    run(config, "keygen", "example.org", "--selector", "s1")
    run(config, "activate", "example.org", "s1")
    folder = config.parent / "dkim"
    (folder / "example.org" / "s1.rsa.pem").unlink()
    with pytest.raises(ConfigError) as caught:
        KeyFolder(folder).signing("example.org")
    assert "digest dkim keygen example.org" in caught.value.hint
    assert run(config, "keygen", "example.org", "--selector", "s2").exit_code == 0
    assert run(config, "activate", "example.org", "s2").exit_code == 0
    assert [key.selector for key in KeyFolder(folder).signing("example.org")] == ["s2"]
