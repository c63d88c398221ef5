"""The table. The most telling signs come first; the first rule that fits is the answer.

Sources. Codes: RFC 5321 4.2 and 4.3.2, RFC 4954 6 (sign-in), RFC 7504 (521, 556). Statuses: RFC 3463 3,
RFC 7372 (SPF, DKIM), RFC 7505 (null MX), RFC 5248 registry (X.7.27 and above: Gmail). What returned mail
quotes (RFC 3464, RFC 6522) are the same replies. Phrases: what is common to Postfix, Exim, Sendmail, qmail,
Exchange and Outlook, Gmail, Yahoo, SES, Mailgun, SendGrid, Proofpoint, Mimecast and Barracuda; each rule
names those that it is mostly for. A phrase is there because several servers say it or because its maker
documents it, never for a single reply that was seen once.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from digest.replies.subject import About, Counts
from digest.replies.words import Index, Phrase, phrases


@dataclass(frozen=True, slots=True)
class Rule:
    """`codes` and `at` have to fit where they are given; then one status or one phrase suffices, if there are
    any."""

    reason: str
    about: About
    counts: Counts = Counts.nothing
    hint: str = ""
    codes: tuple[str, ...] = ()
    """Prefixes."""
    at: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    subject: str = ""
    """The second figure of a status (RFC 3463 3): "7" is security and policy."""
    words: tuple[Phrase, ...] = ()
    pause: dt.timedelta | None = None
    hard_in_5xx: bool = False
    """Hard when refused for good; soft in a 4xx reply, with which a server says that it is not sure."""

    def fits(self, code: str, statuses: tuple[str, ...], said: bool, at: str) -> bool:
        """`said`: one of its phrases stands in the text."""
        if (self.codes and not code.startswith(self.codes)) or (self.at and at not in self.at):
            return False
        if said or not (self.statuses or self.words or self.subject):
            return True
        return any(
            status in self.statuses or (self.subject and status[2:].startswith(self.subject + "."))
            for status in statuses
        )

    def counts_for(self, code: int, status: str) -> Counts:
        """Where signs contradict each other the more careful one counts.

        Exchange says 550 4.4.7; some say "user unknown" with X.7.1, policy. Returned mail may have no code.
        """
        counts = self.counts
        if self.hard_in_5xx:
            for_good = (code >= 500 or not code) and not status.startswith("4")
            counts = Counts.hard if for_good else Counts.soft
        return Counts.soft if counts is Counts.hard and status[1:4] == ".7." else counts


def _both(*endings: str) -> tuple[str, ...]:
    return tuple(f"{kind}.{ending}" for kind in "45" for ending in endings)


QUOTA = "The relay's limit is reached: wait, lower what leaves at once, or ask the provider for more."
SIGN_IN = "Check smtp.user, smtp.password_file and smtp.tls in config.toml."
RELAY = (
    "The relay does not take mail for others from here: check smtp.host, and that the relay allows this "
    "machine (Postfix: mynetworks) or sign in with smtp.user."
)
TALK = "The relay did not follow the conversation: look into its log for what it had before that."
SENDER = "The relay does not take this sender: check the newsletter's sender and return_path_domain."
PROOF = (
    "The sender's domain does not vouch for this mail: check its SPF, DKIM and DMARC records, and that the "
    "relay signs or `digest dkim` does."
)
LISTED = (
    "The sending machine is refused: look its address up in the list that the reply names, check its "
    "reverse DNS name, and ask the provider of the relay."
)
SLOW = "Too much at once for what this sender is known for: send less at a time ([sending] and growth)."
CONTENT = "The message itself is refused: look at its words, links and attachments, then build it anew."
SIZE = "The message is larger than the relay takes: fewer stories, smaller pictures or attachments."
FULL_RELAY = "The relay has no room or cannot write: look at its disk and its log."

RULES: tuple[Rule, ...] = (
    # --- about us -------------------------------------------------------------------------------------
    # DMARC, SPF, DKIM before the sign-in: they too speak of authentication. X.7.20-26 are RFC 7372's, 27 to
    # 32 Gmail's, 509 and 515 Exchange's.
    Rule(
        "sender not authenticated",
        About.run,
        hint=PROOF,
        statuses=_both(
            "7.20", "7.21", "7.22", "7.23", "7.24", "7.26", "7.27", "7.29", "7.30", "7.32", "7.509", "7.515"
        ),
        words=phrases("""
            dmarc / dkim / spf| / sender policy framework / unauthenticated sender / unauthenticated email /
            unauthenticated mail / sender is unauthenticated / sender is not authenticated /
            not pass .. authentication check / spoof
        """),
    ),
    # Gmail X.7.28; Yahoo's TSS; Outlook's "rate limited due to IP reputation".
    Rule(
        "too much at once",
        About.run,
        hint=SLOW,
        statuses=_both("7.28", "7.650"),
        words=phrases("""
            unusual rate of unsolicited / unusual rate of .. mail / temporarily deferred due to .. volume /
            deferred due to .. user complaints / unexpected volume / rate limited due to /
            has been rate limited / temporarily rate limited
        """),
        pause=dt.timedelta(minutes=10),
    ),
    Rule(
        "signing in failed",
        About.run,
        hint=SIGN_IN,
        codes=("530", "534", "535", "538"),
    ),
    Rule(
        "signing in failed",
        About.run,
        hint=SIGN_IN,
        statuses=_both("7.8", "7.11", "7.12", "7.57"),
        words=phrases("""
            authentication required / authentication is required / authentication fail /
            temporary authentication fail / authentication credentials invalid /
            authentication unsuccessful / requires authentication / must issue a starttls /
            must authenticate / must be authenticated / not authenticated /
            username and password not accepted / client was not authenticated / starttls is required
        """),
    ),
    # --- quotas: a full mailbox speaks of one too, and has to be recognised before ours ----------------
    # Gmail 4.2.1, Exchange's "recipient thread limit", Proofpoint.
    Rule(
        "mailbox takes no more now",
        About.recipient,
        Counts.soft,
        words=phrases("""
            user .. receiving mail / account .. receiving mail / recipient .. receiving mail /
            receiving mail at a rate / receiving mail too / receiving email / recipient thread limit /
            recipient .. rate limit / recipient .. has exceeded .. limit / recipient has exceeded
        """),
    ),
    Rule(
        "mailbox full",
        About.recipient,
        Counts.soft,
        statuses=_both("2.2"),
        words=phrases("""
            mailbox full / mailbox is full / mailbox .. is full / mailbox for .. is full /
            mailbox .. over quota / mailbox .. overquota / mailbox .. quota / mailbox over /
            mailbox .. exceed .. storage / mailbox .. exceed .. limit / mailbox size limit / mail box full /
            inbox full / inbox is full / inbox .. over quota / inbox .. out of storage / maildir .. quota /
            maildir .. full / mail folder .. full / recipient .. quota / recipient .. full| /
            recipient storage / out of storage / over its quota / user is over quota / user over quota /
            user .. over quota / user .. over .. storage / account is over quota / account .. over quota /
            account is full / account .. overquota / exceeded storage allocation /
            storage allocation exceeded / not enough storage .. mailbox / not enough space .. mailbox /
            insufficient .. mailbox / quota .. mailbox / disk quota / user quota / incoming mailbox
        """),
    ),
    # Sendmail says 4.4.5 as well, which is our quota elsewhere.
    Rule(
        "relay out of room",
        About.run,
        Counts.soft,
        hint=FULL_RELAY,
        statuses=_both("3.1"),
        words=phrases("""
            insufficient system / insufficient disk / system storage / disk full / no space left /
            queue file write error / out of memory
        """),
    ),
    # X.4.5 is Gmail's daily limit; SES, Mailgun and SendGrid speak of the account.
    Rule(
        "our limit reached",
        About.run,
        hint=QUOTA,
        statuses=("5.4.5", "4.4.5"),
        words=phrases("""
            throttled / throttling / daily .. quota / daily .. limit / hourly .. quota / hourly .. limit /
            monthly .. quota / monthly .. limit / sending .. quota / sending .. limit / sender .. quota /
            quota of the sender / quota of your / sender .. limit / message quota / rate limit /
            relay limit / you have exceeded / exceeded your / message limit .. exceed /
            message limit .. reach / account .. limit .. exceed / account .. limit .. reach /
            account .. quota .. exceed / exceed .. account .. limit / exceed .. sending rate /
            exceed .. messages per / exceed .. maximum credits / maximum credits exceeded /
            rate .. exceeded / sending rate / too many messages / too many emails / too many mails /
            too much mail / submission quota / outgoing .. limit / outbound .. limit / account is paused /
            account paused / account .. is not allowed to send / account .. disabled from sending /
            account has been suspended contact / account suspended contact / account .. probation /
            account .. not verified / sending paused / sending is paused / sending has been paused /
            sending suspended / sending has been suspended / sending is suspended / sending disabled /
            sending is disabled / sending blocked / frequency limit / smtp account .. activated
        """),
    ),
    Rule(
        "our limit reached",
        About.run,
        hint=QUOTA,
        codes=("421",),
        words=phrases("account .. suspended / account .. blocked / account .. disabled"),
    ),
    Rule(
        "mailbox full",
        About.recipient,
        Counts.soft,
        words=phrases("over quota / overquota / quota exceed / exceeded .. quota / exceeds .. quota"),
    ),
    # --- what the relay lets us do at all ---------------------------------------------------------------
    # In returned mail it is a domain's server that no longer takes mail for the domain: soft.
    Rule(
        "relaying refused",
        About.run,
        Counts.soft,
        hint=RELAY,
        words=phrases("""
            relay access denied / relay denied / relay not permitted / relay is not permitted /
            relay prohibited / relay not allowed / relaying denied / relaying is denied / relaying not /
            relaying is not / relaying prohibited / relaying mail .. not allowed / unable to relay /
            cannot relay / not permitted to relay / not allowed to relay / not authorized to relay /
            do not relay / we don t relay / not a relay / not an open relay / relay .. for this domain /
            list of allowed rcpthosts
        """),
    ),
    # --- the envelope sender: RFC 3463 X.1.7 and X.1.8; SES, Postfix, Exchange --------------------------
    Rule(
        "sender refused",
        About.run,
        hint=SENDER,
        statuses=_both("1.7", "1.8", "7.60", "7.708"),
        words=phrases("""
            sender address rejected / sender address is / sender address has been / sender rejected /
            sender is rejected / sender not / sender is not allowed / sender verify fail /
            sender verification / sender denied / sender domain / sender s domain / sender email address /
            invalid sender / senders not allowed / bad sender / unable to verify sender /
            email address is not verified / domain is not verified / sendas /
            domain .. is not allowed to send / send as denied / client does not have permissions /
            not allowed to send as / not allowed to send from / not permitted to send /
            not authorized to send / not authorised to send / not allowed to send mail /
            mail from .. not verified / mail from .. not allowed / mail from .. rejected /
            from address does not match / return path .. domain / domain of sender / from header /
            from field / null sender / envelope from / envelope sender / your domain / sending domain does /
            from domain / mail from domain
        """),
    ),
    # Postfix and Exim look hosts up: "Helo command rejected: Host not found" is not about the recipient's.
    Rule(
        "sending machine refused",
        About.run,
        hint=LISTED,
        statuses=_both("7.25"),
        words=phrases("""
            helo / ehlo / client host / your host / reverse hostname / reverse dns / reverse lookup / rdns /
            ptr record / ptr resource / no ptr / from your server / from your ip / from your network /
            your ip / your mail server / ipcheck / ip not in / not allowed to connect / your access /
            too many invalid / too many unknown / excessive
        """),
    ),
    # --- lists of links are about the message, before lists of machines ------------------------------
    Rule(
        "a link is blocked",
        About.content,
        hint=CONTENT,
        words=phrases("""
            surbl / uribl / dbl.spamhaus / blocked url / blacklisted url / url .. block / url .. blacklist /
            link .. block / contains .. link / contains .. url / suspicious url
        """),
    ),
    # --- one reader's, or their company's, own decision -------------------------------------------------
    Rule(
        "refused by its reader",
        About.recipient,
        words=phrases("""
            recipient preferences / recipient has blocked / blocked by recipient /
            blocked by the recipient / recipient blocked / recipient rejects mail from /
            recipient does not accept mail from / recipient not accepting mail from / user has blocked /
            blocked by user / challenge response / recipient .. whitelist / recipientrestricted /
            resolver.rst / not accept mail from this sender / not accepting mail from this sender /
            not allowed to send to / only accepts mail from / only accepts messages from /
            only accept messages from / members only / restricted recipient / delivery not authorized /
            delivery is not authorized / not authorized to deliver
        """),
    ),
    # --- the mailbox, where the words leave no doubt ----------------------------------------------------
    # RFC 3463 X.2.1: "may be permanent or temporary", so it has to last before it counts.
    Rule(
        "mailbox disabled",
        About.recipient,
        Counts.soft,
        statuses=_both("2.1", "7.13"),
        words=phrases("""
            mailbox disabled / mailbox is disabled / mailbox .. disabled / mailbox .. inactive /
            mailbox .. frozen / mailbox .. locked / mailbox .. suspended / mailbox .. blocked /
            mailbox temporarily / account is disabled / account that you tried to reach is disabled /
            account that you tried to reach is inactive / account .. disabled / account .. inactive /
            account .. suspended / account .. locked / account .. blocked / account .. frozen /
            account .. not active / account .. expired / address .. disabled / disabled recipient /
            recipient .. disabled / recipient .. suspended / recipient .. inactive / recipient .. locked /
            inactive recipient / user .. disabled / user .. suspended / user .. inactive /
            user .. is not active / user .. locked / user .. deactivated / inactive user /
            inactive account / inactive mailbox / not accepting messages / is on hold / disabled mailbox /
            mailbox currently / mailbox not activated / account closed
        """),
    ),
    Rule(
        "address moved",
        About.recipient,
        hard_in_5xx=True,
        statuses=_both("1.6"),
        words=phrases("""
            recipient no longer / user no longer / user has moved / has moved to / address no longer /
            no longer valid / no longer exist / no longer in use / no longer on this server /
            no longer on server / no longer work / no longer active / address has changed / user not local
        """),
    ),
    Rule(
        "no such domain",
        About.recipient,
        hard_in_5xx=True,
        statuses=_both("1.2", "4.310"),
        words=phrases("""
            host unknown / unknown host / host not found / host name not found /
            host or domain name not found / domain name not found / domain not found /
            domain does not exist / domain doesn t exist / domain is not valid / domain invalid /
            no such domain / no such host / unknown domain / unknown mail domain / invalid domain /
            bad destination .. host / bad destination .. system / non existent host / nonexistent domain /
            non existent domain / nxdomain / null mx / nullmx / any host named / find the recipient domain /
            domain .. not receive mail / domain .. not receive email / domain .. not accept mail /
            domain .. not accept email / domain .. doesn t receive / domain .. doesn t accept /
            unrouteable mail domain
        """),
    ),
    Rule("no such domain", About.recipient, Counts.hard, codes=("521", "556")),
    Rule(
        "no such mailbox",
        About.recipient,
        hard_in_5xx=True,
        words=phrases("""
            user unknown / unknown user / unknown recipient / recipient unknown / unknown mailbox /
            mailbox unknown / unknown local / unknown email / address unknown / account unknown /
            unknown account / user not found / user not exist / user not known / recipient not found /
            recipient .. not found / recipientnotfound / recipnotfound / mailbox not found /
            mailbox .. not found / address not found / account not found / no such user /
            no such recipient / no such mailbox / no such address / no such account / no such local /
            no such mail / addressee unknown / unknown or illegal / unknown virtual / userid unknown /
            no such person / no such email / no such name / no mailbox / no user / no account /
            not a valid recipient / not a valid mailbox / not a valid user / not a valid address /
            not a known user / not a user / not our customer / not known here / not listed in .. directory /
            invalid recipient / invalid mailbox / invalid user / invalid address / invalid local /
            recipient invalid / recipient address invalid / recipient is invalid / recipient is not valid /
            recipient not valid / recipient does not exist / recipient doesn t exist /
            recipient .. does not exist / mailbox does not exist / mailbox doesn t exist /
            mailbox .. does not exist / mailbox .. doesn t exist / user does not exist /
            user doesn t exist / user .. does not exist / user .. doesn t exist / user doesn t have /
            user .. doesn t have a / user does not have / address does not exist / address doesn t exist /
            address .. does not exist / address .. doesn t exist / account does not exist /
            account doesn t exist / account that you tried to reach does not exist /
            account .. does not exist / account .. doesn t exist / does not exist here /
            unrouteable address / unroutable address / undeliverable address / bad destination mailbox /
            address lookup fail / cannot find .. user / doesn t handle mail for that user /
            can t find .. mailbox / discontinued / deactivated / nosuchuser
        """),
    ),
    # Exchange Online with directory-based blocking says so of mailboxes that do not exist.
    Rule(
        "no such mailbox",
        About.recipient,
        hard_in_5xx=True,
        codes=("5",),
        statuses=("5.1.10", "5.1.351"),
    ),
    # --- the sending machine: block lists, reputation, reverse DNS --------------------------------------
    Rule(
        "sending machine refused",
        About.run,
        hint=LISTED,
        statuses=_both("7.25", "7.606", "7.511", "7.512"),
        words=phrases("""
            spamhaus / spamcop / sorbs / barracudacentral / abuseat / dnsbl / dnswl / rbl| / blocklist /
            block list / blacklist / black list / blocked using / blocked by .. list / reputation /
            senderscore / sender score / client host / host .. blocked / connection .. refused .. policy /
            connections not accepted / not accepting connections / connection frequency /
            ip address .. block / ip address .. reject / ip address .. listed / ip .. blocked /
            ip .. banned / ip .. not allowed / ip .. blacklist / ip frequency / ip name lookup / ip lookup /
            blocked ip / banned sending / sending ip / connecting ip / sending mta / sending server /
            your ip / your server / your mail server / your host / your network / part of their network /
            messages from .. weren t sent / source ip / reverse dns / reverse lookup / reverse hostname /
            ptr record / ptr resource / no ptr / rdns / your hostname / your reverse / dynamic ip / helo /
            ehlo / cloudmark / listed at / listed in / listed on / listed by / is listed / no smtp service
        """),
    ),
    # --- the message itself: the same for everybody -----------------------------------------------------
    Rule(
        "message refused as spam",
        About.content,
        hint=CONTENT,
        words=phrases("""
            spam / unsolicited / junk / ube| / bulk mail / bulk email / suspicious / message content /
            content reject / content filter / content .. policy / content .. not accepted /
            message .. content .. unacceptable / banned content / blocked by .. filter / filtered /
            message looks like / because its content / security issue / message blocked / security polic /
            header error / duplicate header / multiple addresses in / not rfc compliant / rfc 5322 /
            rfc 2822 / rfc 5321 / bare lf / bare newline
        """),
    ),
    Rule(
        "message refused as harmful",
        About.content,
        hint=CONTENT,
        words=phrases("""
            virus / malware / phish / infected / trojan / worm| / malicious / attachment / executable /
            banned file / file type / dangerous
        """),
    ),
    Rule(
        "message too large",
        About.content,
        hint=SIZE,
        codes=("0", "5", "452"),
        statuses=("5.3.4", "5.2.3", "4.3.4", "4.2.3"),
        words=phrases("""
            message too large / message too big / message is too / message size exceed /
            message size .. limit / message length exceed / message exceeds / message .. larger than /
            exceeds .. maximum message size / exceeds .. message size / exceeds .. size limit /
            size limit exceed / max message size / too large
        """),
    ),
    Rule(
        "message refused",
        About.content,
        hint=CONTENT,
        codes=("0", "5"),
        statuses=(
            "5.6.0",
            "5.6.1",
            "5.6.2",
            "5.6.3",
            "5.6.5",
            "5.6.6",
            "5.6.8",
            "5.6.9",
            "5.6.11",
        ),
    ),
    # --- not now ----------------------------------------------------------------------------------------
    Rule(
        "greylisted",
        About.recipient,
        Counts.soft,
        words=phrases("greylist / graylist / grey list / gray list / postgrey"),
    ),
    Rule("connection closed", About.connection, codes=("421",), subject="7"),
    Rule("connection closed", About.connection, Counts.soft, codes=("421",)),
    Rule("refused by policy", About.recipient, codes=("4",), subject="7"),
    Rule(
        "out of reach",
        About.recipient,
        Counts.soft,
        statuses=_both("4.1", "4.2", "4.4", "4.7", "4.316"),
        codes=("0", "4"),
    ),
    Rule(
        "out of reach",
        About.recipient,
        Counts.soft,
        words=phrases("""
            timed out / connection refused / no route to host / network is unreachable / could not connect /
            lost connection / message expired / queue expired / delivery time expired /
            retry time not reached / retry timeout / too long .. queue / loop / too many hops / hop count /
            lookup fail / temporar / try again / try later / name service error / name server reply /
            dns error
        """),
    ),
    # --- the conversation itself went wrong (RFC 5321 4.2.2): no address can be judged by that ----------
    Rule("conversation went wrong", About.run, hint=TALK, codes=("500", "502", "503")),
    # --- statuses, where the words told nothing (5.4.1: Exchange Online, of mailboxes that do not exist) --
    Rule(
        "no such mailbox",
        About.recipient,
        Counts.hard,
        codes=("5",),
        statuses=("5.1.1", "5.1.3", "5.4.1"),
    ),
    Rule(
        "refused by policy",
        About.recipient,
        at=("RCPT", ""),
        subject="7",
        words=phrases("""
            policy / administrative prohibition / administratively denied / access denied / not permitted /
            not allowed / not accepted / blocked / rejected by / refused
        """),
    ),
    # RFC 5321 4.2.3, 550 and 553 for RCPT: "mailbox unavailable", "mailbox name not allowed".
    Rule(
        "no such mailbox",
        About.recipient,
        Counts.hard,
        codes=("550", "551", "553"),
        words=phrases("""
            mailbox unavailable / mailbox not available / mailbox name not allowed / mailbox name invalid /
            bad address / bad recipient / recipient address rejected / recipient rejected /
            recipient not accepted / address rejected / not our user / syntax
        """),
    ),
    # A text that is refused for good without a word about a mailbox is refused for what it is.
    Rule("message refused", About.content, hint=CONTENT, codes=("5",), at=("text", "DATA")),
    Rule("", About.recipient, codes=("0",)),
    Rule("", About.recipient, Counts.soft),
)


_INDEX = Index([rule.words for rule in RULES])


def first_fitting(code: int, statuses: tuple[str, ...], words: str, at: str) -> Rule:
    """The answer; `words` as `words.read` gives them. The last rule fits everything."""
    said, digits = _INDEX.groups_in(words), str(code)
    return next(rule for number, rule in enumerate(RULES) if rule.fits(digits, statuses, number in said, at))
