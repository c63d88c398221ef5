"""One SMTP conversation as a state machine: bytes go in, bytes and events come out.

It knows no socket, no clock and no loop. Its driver reads and writes, and says when the connection is gone::

    session = Session(Options(...))
    events = session.receive(data)          # what the server said
    pieces = session.take()                 # what to write now; [] when there is nothing
    session.add(copy)                       # while session.room > 0
    events = session.lost("reset by peer")  # the connection is gone

Its promise: every copy that was added comes back as an event exactly once, with its outcome. "accepted" is
said when the server said so behind the whole text; "deferred" and "rejected" when it refused; "unsent" when
it cannot have taken the message; "uncertain" when all of the text had been taken from here and no answer
came that can be trusted.

The handshake is `digest.smtp.handshake`, everything after it `digest.smtp.transactions`.
"""

from __future__ import annotations

from collections.abc import Sequence

from digest.smtp.capabilities import Capabilities, Mode, Options
from digest.smtp.envelope import Copy
from digest.smtp.events import Event, Failed, Ready, StartTls
from digest.smtp.handshake import Handshake, Step
from digest.smtp.replies import Reply, ReplyReader
from digest.smtp.transactions import Buffer, Phase, Transactions

_INJECTED = "the server sent more than its answer before TLS began"


class Session:
    """See the module."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.capabilities = Capabilities()
        self._reader = ReplyReader()
        self._shake = Handshake(options)
        self._open: Transactions | None = None
        self._failed = False

    # What the driver may know

    @property
    def over(self) -> bool:
        return self._failed if self._open is None else self._open.over

    @property
    def ready(self) -> bool:
        return self._open is not None and not self._open.over

    @property
    def mode(self) -> Mode:
        return Mode.sequential if self._open is None else self._open.mode

    @property
    def served(self) -> int:
        """How many copies the server has answered for good."""
        return 0 if self._open is None else self._open.served

    @property
    def shown(self) -> str:
        """What `take` gives next as people may see it, before the session is ready; "" later."""
        return self._shake.shown if self._open is None and self._shake.line else ""

    @property
    def room(self) -> int:
        """How many more copies it would like to have."""
        return 0 if self._open is None else self._open.room

    @property
    def used_up(self) -> bool:
        """It had its number of messages."""
        return self._open is not None and self._open.used_up

    @property
    def midway(self) -> bool:
        """Whether it is in the middle of a text: before the next block is a time to look for a reply."""
        return self._open is not None and self._open.midway

    @property
    def busy(self) -> bool:
        """Whether it has copies that were not told yet, or commands without an answer."""
        return self._open is not None and self._open.busy

    @property
    def waits(self) -> Phase:
        """What the server has to say next."""
        if self._open is not None:
            return self._open.waits
        shake = self._shake
        phase = Phase.greeting if shake.step is Step.greeting else Phase.command
        return Phase.nothing if shake.line or shake.step is Step.driver else phase

    # What the driver does

    def add(self, copy: Copy) -> bool:
        """Takes a copy; False when it cannot be sent here at all: it has its `outcome` and is not kept."""
        assert self._open is not None
        return self._open.add(copy)

    def secured(self) -> None:
        """TLS is up, as `StartTls` asked for."""
        self._reader = ReplyReader()
        self._shake.secured()

    def token(self, token: str) -> None:
        """The access token that `TokenWanted` asked for."""
        self._shake.token(token)

    def quit(self) -> None:
        """No further copies; says QUIT when those that it has are done."""
        if self._open is not None:
            self._open.quitting = True

    def take(self) -> Sequence[Buffer]:
        """What to write next: at most a block of one text and the commands around it; [] for nothing.

        Ask again until it is empty, as fast as the connection takes it.
        """
        if self._open is not None:
            return self._open.take()
        line, self._shake.line = self._shake.line, b""
        return [line] if line else []

    def receive(self, data: bytes) -> list[Event]:
        """What follows from what the server said."""
        events: list[Event] = []
        if self.over:
            return events
        for reply in self._reader.feed(data):
            if self._open is not None:
                self._open.answer(reply, events)
            else:
                self._shake_hands(reply, events)
            if self.over:
                return events
        injected = self._reader.begun or self._reader.rubbish
        if injected and events and isinstance(events[-1], StartTls):
            self._fail(events, _INJECTED, Step.starttls)
        elif self._reader.rubbish:
            self._end(events, self._reader.rubbish)
        return events

    def lost(self, reason: str, *, kept_back: int = 0) -> list[Event]:
        """The connection is gone, or given up. `kept_back`: how many of the bytes taken certainly never left,
        counted from the last."""
        events: list[Event] = []
        if self._open is None and not self._failed:
            self._fail(events, reason)
        elif self._open is not None and not self._open.over:
            self._open.lost(events, reason, kept_back)
        return events

    def _shake_hands(self, reply: Reply, events: list[Event]) -> None:
        if events and isinstance(events[-1], StartTls):
            self._fail(events, _INJECTED, Step.starttls)
        elif self._shake.line:
            self._fail(events, f"a reply that nobody asked for: {reply}")
        else:
            told = self._shake.reply(reply)
            if told is not None:
                events.append(told)
                self._failed = isinstance(told, Failed)
            elif self._shake.step is Step.done:
                self.capabilities = self._shake.capabilities
                self._open = Transactions(self.capabilities, self.options)
                events.append(Ready(self.capabilities, self._open.mode))

    def _end(self, events: list[Event], reason: str) -> None:
        if self._open is None:
            self._fail(events, reason)
        else:
            self._open.end(events, reason)

    def _fail(self, events: list[Event], reason: str, step: Step | None = None) -> None:
        events.clear()
        self._failed = True
        events.append(Failed((step or self._shake.step).value, reason))
