"""From the greeting to the point where messages may be handed over: EHLO or HELO, STARTTLS, sign-in.

Pure: replies go in, lines and events come out.
"""

from __future__ import annotations

import base64
import json
from enum import StrEnum

from digest.smtp.capabilities import Auth, Capabilities, Options, Tls
from digest.smtp.events import Failed, StartTls, TokenWanted
from digest.smtp.replies import Reply, printable

_LONGEST_COMMAND = 510
"""Without CRLF (RFC 5321 4.5.3.1.4); a longer first answer waits to be asked for (RFC 4954 4)."""
HIDDEN = "********"


class Step(StrEnum):
    """What is awaited; also the phase of a failure."""

    greeting = "greeting"
    ehlo = "EHLO"
    helo = "HELO"
    starttls = "STARTTLS"
    auth = "sign-in"
    driver = "driver"
    """TLS or a token: not the server's turn."""
    done = "done"


Told = StartTls | TokenWanted | Failed


class Handshake:
    """Ends with `step` done and `capabilities`, or with a `Failed`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._secure = options.secure
        self._encrypted = False
        self._mechanism = Auth.plain
        self._answers: list[str] = []
        """What to say to each further 334, the last first."""
        self._secrets = [options.password] if options.password else []
        """What a server may not have repeated in an error."""
        self._refused_token = ""
        self._tokens = 0
        self.step = Step.greeting
        self.capabilities = Capabilities()
        self.line = b""
        """What is to be written now."""
        self.shown = ""
        """The same for people: without secrets."""

    def secured(self) -> None:
        """TLS is up: what was known before is forgotten (RFC 3207 4.2)."""
        self._encrypted = self._secure = True
        self.capabilities = Capabilities()
        self._say(Step.ehlo, f"EHLO {self._options.name}")

    def token(self, token: str) -> None:
        """The access token that was asked for."""
        self._secrets.append(token)
        said = f"user={self._options.user}\x01auth=Bearer {token}\x01\x01"
        self._begin("XOAUTH2", [_base64(said)])

    def reply(self, reply: Reply) -> Told | None:
        """Takes the answer to what was written last."""
        told: Told | None = None
        match self.step, reply.code:
            case Step.greeting, 220:
                self._say(Step.ehlo, f"EHLO {self._options.name}")
            case Step.ehlo, _:
                told = self._greeted(reply)
            case Step.helo, 250:
                told = self._go_on()
            case Step.starttls, 220:
                self.step = Step.driver
                told = StartTls()
            case Step.auth, _:
                told = self._authenticated(reply)
            case Step.driver, _:
                told = Failed(self.step.value, f"a reply that nobody asked for: {reply}")
            case _:
                told = self._failed(reply)
        return told

    def _greeted(self, reply: Reply) -> Told | None:
        if reply.code == 250:
            self.capabilities = Capabilities.of(reply)
            return self._go_on()
        if reply.code < 500 or self._encrypted:
            return self._failed(reply)
        self._say(Step.helo, f"HELO {self._options.name}")
        return None

    def _go_on(self) -> Told | None:
        """What comes next once the server has said what it offers."""
        options = self._options
        if options.tls is not Tls.never and not self._encrypted:
            if self.capabilities.starttls:
                self._say(Step.starttls, "STARTTLS")
                return None
            if options.tls is Tls.required:
                return Failed(
                    Step.starttls.value,
                    "the server does not offer it, and mail must not cross a network in the clear",
                )
        if options.user:
            return self._sign_in()
        self.step = Step.done
        return None

    def _sign_in(self) -> Told | None:
        if not self._secure:
            return Failed(
                Step.auth.value, "the connection is not encrypted, and a password must not cross a network so"
            )
        options, offered = self._options, self.capabilities.mechanisms
        wanted: tuple[Auth, ...] = (options.auth,)
        if options.auth is Auth.auto:
            wanted = (Auth.plain, Auth.login) if options.password else (Auth.xoauth2,)
        for mechanism in wanted:
            if mechanism.value.upper() in offered:
                self._mechanism = mechanism
                return self._authenticate()
        return Failed(
            Step.auth.value,
            f"the server does not offer {' or '.join(each.value.upper() for each in wanted)}; "
            f"it offers {' '.join(offered) or 'no sign-in at all'}",
        )

    def _authenticate(self) -> Told | None:
        user, password = self._options.user, self._options.password
        if self._mechanism is Auth.xoauth2:
            self.step = Step.driver
            return TokenWanted(fresh=False)
        if self._mechanism is Auth.plain:
            self._begin("PLAIN", [_base64(f"\0{user}\0{password}")])
        else:
            self._begin("LOGIN", [_base64(user), _base64(password)], at_once=False)
        return None

    def _begin(self, mechanism: str, answers: list[str], *, at_once: bool = True) -> None:
        self._answers = answers[::-1]
        self._secrets += answers
        line = f"AUTH {mechanism}"
        if at_once and len(line) + 1 + len(answers[0]) <= _LONGEST_COMMAND:
            self._say(Step.auth, f"{line} {self._answers.pop()}", f"{line} {HIDDEN}")
        else:
            self._say(Step.auth, line)

    def _authenticated(self, reply: Reply) -> Told | None:
        if reply.code == 235:
            self.step = Step.done
            return None
        if reply.code == 334 and self._answers:
            self._say(Step.auth, self._answers.pop(), HIDDEN)
            return None
        if reply.code == 334 and self._mechanism is Auth.xoauth2 and not self._refused_token:
            # The error as JSON; the server wants an empty answer before it says 535.
            self._refused_token = _status(reply) or "refused"
            self._say(Step.auth, "")
            return None
        if reply.code >= 500 and self._mechanism is Auth.xoauth2 and not self._tokens:
            self._tokens += 1
            self._refused_token = ""
            self.step = Step.driver
            return TokenWanted(fresh=True)
        return self._failed(reply, f" (token: {self._refused_token})" if self._refused_token else "")

    def _failed(self, reply: Reply, more: str = "") -> Failed:
        words = f"{reply}{more}"
        for secret in self._secrets:
            words = words.replace(secret, HIDDEN)
        if reply.code < 400:
            return Failed(self.step.value, f"an answer that does not fit: {words}")
        return Failed(self.step.value, words, reply.code)

    def _say(self, step: Step, line: str, shown: str | None = None) -> None:
        self.step = step
        self.line = f"{line}\r\n".encode()
        self.shown = line if shown is None else shown


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _status(reply: Reply) -> str:
    """The status in the error that a server sends for a token, such as "401"; "" where it has none."""
    try:
        error = json.loads(base64.b64decode(reply.lines[0], validate=True))
    except (ValueError, RecursionError):
        return ""
    return printable(str(error.get("status", "")))[:80] if isinstance(error, dict) else ""
