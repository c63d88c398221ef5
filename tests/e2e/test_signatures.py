"""What programs that know nothing of us say of our signatures: dkimpy, Mail::DKIM of Perl, rspamd."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dkim
import pytest

from digest.model import Message, Recipient
from digest.work.build import build, period_at
from digest.work.composer import composer
from tests.e2e import dns_stub
from tests.e2e.rspamd import Rspamd, running
from tests.newsroom import newsroom

IP = "192.0.2.25"

PERL = """\
use strict; use warnings;
use Mail::DKIM::Verifier; use Mail::DKIM::DNS; use Net::DNS;
my %records = map { chomp; split /\\t/, $_, 2 } do { open my $f, '<', $ARGV[0] or die; <$f> };
{ no warnings 'redefine';
  *Mail::DKIM::DNS::query = sub { my ($name, $type) = @_;
    return unless $type eq 'TXT' && exists $records{$name};
    return Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => [unpack '(A255)*', $records{$name}]); };
}
my $dkim = Mail::DKIM::Verifier->new();
open my $in, '<:raw', $ARGV[1] or die;
local $/; $dkim->PRINT(<$in>); $dkim->CLOSE;
print $_->algorithm, ' ', $_->domain, ' ', $_->result_detail, "\\n" for $dkim->signatures;
"""


@dataclass(frozen=True)
class Signed:
    """A copy of the sample edition that is on its way, and what DNS has for it."""

    message: Message
    records: dict[str, str]

    def changed(self) -> bytes:
        """With the link for leaving of somebody else."""
        content = re.sub(
            rb"(List-Unsubscribe: <\S+/)\w{28}>", rb"\1" + b"a" * 28 + b">", self.message.content
        )
        assert content != self.message.content
        return content


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    app, clock = newsroom(tmp_path_factory.mktemp("signatures"))
    edition = build(app, "weekly", period_at(app, "weekly", clock.now()), by="test")
    assert edition.sender is not None
    domain = edition.sender.address.partition("@")[2]
    made = app.dkim_keys.make(domain, "s1", ed25519=True, at=clock.now())
    app.dkim_keys.activate(domain, "s1", at=clock.now())
    records = {key.name: key.record for key in made.keys}
    records[domain] = f"v=spf1 ip4:{IP} -all"
    records[f"_dmarc.{domain}"] = "v=DMARC1; p=reject; aspf=s; adkim=s"
    with composer(app, edition) as composed:
        [message] = composed.messages([Recipient(1, 1, "bea.brandt@example.net", "Beä  Brandt")])
    assert isinstance(message, Message)
    return Signed(message, records)


def test_dkimpy_verifies_it_and_sees_a_changed_link_for_leaving(signed: Signed) -> None:
    def lookup(name: bytes, timeout: int = 5) -> bytes:
        return signed.records[name.decode().rstrip(".")].encode()

    assert dkim.verify(signed.message.content, dnsfunc=lookup)
    assert not dkim.verify(signed.changed(), dnsfunc=lookup)


@pytest.mark.mail_dkim
def test_perl_verifies_it_and_sees_a_changed_link_for_leaving(signed: Signed, tmp_path: Path) -> None:
    perl = shutil.which("perl")
    there = perl and subprocess.run([perl, "-MMail::DKIM", "-e", "1"], check=False, capture_output=True)
    if not perl or not there or there.returncode:
        pytest.skip("Mail::DKIM of Perl is not installed")
    (tmp_path / "verify.pl").write_text(PERL)
    (tmp_path / "records").write_text("".join(f"{name}\t{text}\n" for name, text in signed.records.items()))

    def says(content: bytes) -> str:
        (tmp_path / "message").write_bytes(content)
        done = subprocess.run(
            [perl, tmp_path / "verify.pl", tmp_path / "records", tmp_path / "message"],
            capture_output=True, check=True, timeout=60, text=True,
        )  # fmt: skip
        # It skips algorithms that it does not know, which is why Ed25519 can only be the second.
        [rsa] = [line for line in done.stdout.splitlines() if line.startswith("rsa-sha256")]
        return rsa

    assert says(signed.message.content) == "rsa-sha256 example.org pass"
    assert says(signed.changed()).startswith("rsa-sha256 example.org fail")
    assert says(signed.message.content + b"more\r\n").startswith("rsa-sha256 example.org fail")


@pytest.fixture(scope="module")
def rspamd(signed: Signed) -> Iterator[Rspamd]:
    with dns_stub.running(signed.records) as port, running(port) as rspamd:
        yield rspamd


def said(rspamd: Rspamd, signed: Signed, content: bytes, ip: str = IP) -> set[str]:
    message = signed.message
    return rspamd.symbols(content, ip=ip, mail_from=message.mail_from, rcpt_to=message.rcpt_to)


@pytest.mark.rspamd
def test_rspamd_allows_it_by_spf_dkim_and_dmarc(signed: Signed, rspamd: Rspamd) -> None:
    symbols = said(rspamd, signed, signed.message.content)

    assert {"R_DKIM_ALLOW", "R_SPF_ALLOW", "DMARC_POLICY_ALLOW"} <= symbols, rspamd.log()
    assert "R_DKIM_REJECT" not in symbols


@pytest.mark.rspamd
def test_dmarc_holds_by_the_signature_alone(signed: Signed, rspamd: Rspamd) -> None:
    symbols = said(rspamd, signed, signed.message.content, ip="198.51.100.1")

    assert {"R_DKIM_ALLOW", "R_SPF_FAIL", "DMARC_POLICY_ALLOW"} <= symbols, rspamd.log()


@pytest.mark.rspamd
def test_rspamd_rejects_a_changed_link_for_leaving(signed: Signed, rspamd: Rspamd) -> None:
    symbols = said(rspamd, signed, signed.changed(), ip="198.51.100.1")

    assert {"R_DKIM_REJECT", "DMARC_POLICY_REJECT"} <= symbols, rspamd.log()
    assert "R_DKIM_ALLOW" not in symbols


@pytest.mark.rspamd
def test_rspamd_verifies_the_second_signature_too(signed: Signed, rspamd: Rspamd) -> None:
    fields = signed.message.content.split(b"DKIM-Signature: ")
    assert b"a=ed25519-sha256" in fields[2]
    alone = b"DKIM-Signature: " + fields[2]
    symbols = said(rspamd, signed, alone, ip="198.51.100.1")

    assert {"R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"} <= symbols, rspamd.log()
