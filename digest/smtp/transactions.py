"""Messages over an open connection: what is written when, and what each reply is about.

What makes that true, for any number of copies in flight:

- Replies come in the order of the commands (RFC 2920 3.1), so the first copy in `_flying` is the one that the
  next reply is about, and its `awaits` says which of its commands.
- A reply to a command that has not left (`awaits` > `written`) is nobody's answer: the connection is not
  trusted any more.
- A new connection is trusted with one message first, and with two more for each that it took: a server that
  hangs up in silence brings one copy in doubt, not all that could be in flight.
- The text leaves in blocks, as the driver asks for them, so that what is in doubt is what the connection
  holds, and an answer before the end of a text is seen to be one.
- In chunking mode the text leaves before its envelope was answered. RSET stands in front of each envelope
  that follows one whose end is not known: else a refused one would let the next be nested in it (503), or be
  taken under the wrong sender. The first copy over a connection goes one command at a time all the same: a
  server that answers too often must not have an acceptance ready before it has the text.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from digest.model import Outcome, OutcomeKind
from digest.smtp.capabilities import Capabilities, Mode, Options
from digest.smtp.envelope import DATA, RCPT, RSET, TEXT, WORDS, Copy, Envelopes
from digest.smtp.events import Closed, Event
from digest.smtp.replies import Reply

Buffer = bytes | memoryview

BLOCK = 128 * 1024
"""Bytes of a text that are given out at once."""


class Phase(StrEnum):
    """What is awaited from the server; each has its own time-out (RFC 5321 4.5.3.2)."""

    nothing = ""
    greeting = "greeting"
    command = "command"
    data = "DATA"
    text = "text"
    goodbye = "goodbye"
    """QUIT was said, or the server said 421: it has only to close."""


_PHASES = (Phase.command, Phase.command, Phase.command, Phase.data, Phase.text)
"""By what a copy awaits."""


class Transactions:
    """The half of a session that comes after the handshake. `served` and `begun` count copies."""

    def __init__(self, capabilities: Capabilities, options: Options) -> None:
        self.served = 0
        """Copies that the server has answered for good."""
        self.begun = 0
        """Copies whose envelope has left."""
        self.over = False
        self.mode = capabilities.mode(options)
        self.quitting = False
        """No further copies; QUIT when those that are there are done."""
        self._quit_written = False
        self._grouped = capabilities.grouped(options)
        self._chunked = self.mode is Mode.chunking
        self._most = 2 if self._grouped and not self._chunked else 1
        """How many copies are in flight at most, for now and at best."""
        self._depth = options.depth if self._grouped and self._chunked else self._most
        limits = [limit for limit in (options.limit, capabilities.most_messages) if limit]
        self._limit = min(limits, default=0)
        self._envelopes = Envelopes(capabilities, options, chunked=self._chunked)
        self._waiting: deque[Copy] = deque()
        self._flying: deque[Copy] = deque()
        self._unclean = False
        """An envelope may be open at the server: RSET before the next."""
        self._proven = not self._chunked
        """In chunking mode: it answered an envelope as it should, one command at a time."""
        self._taken = 0
        self._closing = ""
        """The 421 that was said: nothing is written any more."""
        self._farewell = False
        """Nothing behind it was executed, as far as can be seen."""

    @property
    def room(self) -> int:
        """How many more copies would be welcome."""
        if self.over or self.quitting or self._closing:
            return 0
        room = self._most - len(self._flying) - len(self._waiting)
        if self._limit:
            room = min(room, self._limit - self.begun - len(self._waiting))
        return room

    @property
    def used_up(self) -> bool:
        return 0 < self._limit <= self.begun

    @property
    def midway(self) -> bool:
        return bool(self._flying) and self._flying[-1].blocks > 0 and not self._flying[-1].handed

    @property
    def busy(self) -> bool:
        return bool(self._flying or self._waiting)

    @property
    def waits(self) -> Phase:
        if self._closing or self._quit_written:
            return Phase.goodbye
        head = self._flying[0] if self._flying else None
        if head is None or head.awaits > head.written:
            return Phase.nothing
        return _PHASES[head.awaits]

    def add(self, copy: Copy) -> bool:
        """See `Session.add`."""
        refusal = self._envelopes.refusal(copy)
        if refusal is not None:
            copy.outcome = refusal
            return False
        self._waiting.append(copy)
        return True

    # Bytes out

    def take(self) -> list[Buffer]:
        """See `Session.take`."""
        pieces: list[Buffer] = []
        if self._closing or self.over:
            return pieces
        commands = ""
        flying = self._flying
        last = flying[-1] if flying else None
        if last is not None and not last.handed:
            if last.due:
                commands = self._put_text(last, pieces)
            elif last.written < last.awaits:
                commands = self._command(last)
        free = last is None or (last.handed and self._grouped)
        if free and self._waiting and len(flying) < self._most:
            commands = self._begin(self._waiting.popleft(), commands, pieces)
        if commands:
            self._put(commands, pieces)
        elif not (pieces or flying or self._quit_written) and (self.quitting or self.used_up):
            self._quit_written = True
            self._put("QUIT\r\n", pieces)
        return pieces

    def _begin(self, copy: Copy, commands: str, pieces: list[Buffer]) -> str:
        """The first that leaves of a copy, behind `commands`."""
        self.begun += 1
        if self._unclean or (self._chunked and self._flying):
            copy.awaits = RSET
            self._unclean = False
        self._flying.append(copy)
        if not self._grouped or not self._proven:
            return commands + self._command(copy)
        commands += self._envelope(copy)
        if not self._chunked:
            copy.written = DATA
            return commands + "DATA\r\n"
        copy.written = RCPT
        self._put(f"{commands}BDAT {copy.size} LAST\r\n", pieces)
        copy.due = True
        return self._put_text(copy, pieces)

    def _envelope(self, copy: Copy) -> str:
        reset = "RSET\r\n" if copy.awaits == RSET else ""
        return reset + self._envelopes.mail(copy) + self._envelopes.rcpt(copy)

    def _command(self, copy: Copy) -> str:
        """Its next command, where one command leaves at a time."""
        copy.written = copy.awaits
        match copy.awaits:
            case 0:
                return "RSET\r\n"
            case 1:
                return self._envelopes.mail(copy)
            case 2:
                return self._envelopes.rcpt(copy)
            case _:
                return "DATA\r\n"

    def _put(self, commands: str, pieces: list[Buffer]) -> None:
        line = commands.encode()
        self._taken += len(line)
        pieces.append(line)

    def _put_text(self, copy: Copy, pieces: list[Buffer]) -> str:
        """The next block of its text; what has to stand behind it."""
        text, start = copy.text, copy.blocks * BLOCK
        if self._chunked and copy.awaits == TEXT and not start:
            self._put(f"BDAT {copy.size} LAST\r\n", pieces)
        copy.blocks += 1
        end = copy.blocks * BLOCK
        if end < len(text):
            pieces.append(memoryview(text)[start:end])
            self._taken += BLOCK
            return ""
        if text:
            pieces.append(memoryview(text)[start:] if start else text)
            self._taken += len(text) - start
        copy.text = b""
        copy.handed, copy.written = True, TEXT
        if self._chunked:
            copy.end = self._taken
            return ""
        copy.end = self._taken + 3
        return ".\r\n"

    # Replies in

    def answer(self, reply: Reply, events: list[Event]) -> None:
        """What follows from a reply, in `events`."""
        flying = self._flying
        if not flying or flying[0].awaits > flying[0].written:
            self._unasked(reply, events)
            return
        copy, code = flying[0], reply.code
        fits = code == 354 if copy.awaits == DATA else 250 <= code < 260
        if fits:
            self._farewell = False  # after a 421 it went on all the same: only its replies tell what it took
        elif code < 400 or (copy.awaits == RSET and not self._farewell and code != 421):
            self._misfit(reply, events)
            return
        if copy.awaits == TEXT:
            flying.popleft()
            self._unclean = self._chunked and not fits
            if fits and self._most < self._depth:
                self._most = min(self._most + 2, self._depth)
            if copy.outcome is None:
                outcome = copy.refusal or reply.outcome(copy.message.delivery, _kind(code), "text")
                self._tell(copy, outcome, events)
        elif fits:
            self._granted(copy, reply, events)
        else:
            self._refused(copy, reply, events)
        if code == 421 and not self._closing:
            self._say_farewell(reply, events)
        if self._closing and not flying and not self.over:
            self.end(events, self._closing, usual=True)

    def _granted(self, copy: Copy, reply: Reply, events: list[Event]) -> None:
        """RSET, MAIL, RCPT or DATA was answered as it should be."""
        if copy.awaits != RCPT:
            copy.awaits += 1
            copy.due = copy.due or copy.awaits == TEXT
        elif not self._chunked:
            copy.awaits = DATA
            if copy.refusal is not None:
                self._give_up(copy, events)
        elif copy.refusal is None:
            copy.awaits = TEXT
            copy.due = self._proven = True
        else:  # MAIL was refused, and yet there is a recipient: what becomes of the text cannot be told
            copy.refusal = None
            self._misfit(reply, events)

    def _refused(self, copy: Copy, reply: Reply, events: list[Event]) -> None:
        """RSET, MAIL, RCPT or DATA was refused."""
        self._unclean = True
        if copy.refusal is None:
            kind = OutcomeKind.unsent if self._farewell else _kind(reply.code)
            kind = OutcomeKind.unsent if reply.code == 421 else kind
            copy.refusal = reply.outcome(copy.message.delivery, kind, WORDS[copy.awaits])
        if copy.awaits == copy.written and not copy.due:  # nothing else of it has left
            self._flying.popleft()
            if copy.outcome is None:
                self._tell(copy, copy.refusal, events)
        elif copy.awaits < RCPT:
            copy.awaits += 1
        else:
            copy.awaits = TEXT if self._chunked else DATA
            self._give_up(copy, events)

    def _give_up(self, copy: Copy, events: list[Event]) -> None:
        """It is refused, but there are replies to come: those do not concern it any more.

        Should the server ask for the text (354), it gets an empty one.
        """
        if not self._chunked:
            copy.text = b""
        assert copy.refusal is not None
        if copy.refusal.kind is not OutcomeKind.unsent:  # such a one may go over another connection: not yet
            self._tell(copy, copy.refusal, events)

    def _unasked(self, reply: Reply, events: list[Event]) -> None:
        """A reply to nothing that has left."""
        copy = self._flying[0] if self._flying else None
        if reply.code == 421 or self._quit_written:
            if copy is not None and copy.outcome is None:
                copy.refusal = reply.outcome(copy.message.delivery, OutcomeKind.unsent, WORDS[copy.awaits])
            self._farewell = True
            self.end(events, str(reply), usual=True)
        elif copy is not None and copy.due and copy.outcome is None:
            if reply.code >= 400:
                copy.refusal = reply.outcome(copy.message.delivery, _kind(reply.code), "text")
            self.end(events, f"answered before the end of the text: {reply}")
        else:
            self.end(events, f"a reply that nobody asked for: {reply}")

    def _misfit(self, reply: Reply, events: list[Event]) -> None:
        self.end(events, f"an answer that does not fit: {reply}")

    def _say_farewell(self, reply: Reply, events: list[Event]) -> None:
        """421: the server closes (RFC 5321 3.8). Whatever stands behind the command was not executed.

        Where texts have left already, it is waited for: a server that does not close, but answers them, has
        taken them.
        """
        self._closing, self._farewell = str(reply), True
        if all(copy.outcome or copy.refusal or not copy.handed for copy in self._flying):
            self.end(events, self._closing, usual=True)

    def _tell(self, copy: Copy, outcome: Outcome, events: list[Event]) -> None:
        copy.outcome = outcome
        self.served += 1
        events.append(copy)

    def lost(self, events: list[Event], reason: str, kept_back: int) -> None:
        """See `Session.lost`."""
        self.end(events, reason, usual=not self._flying or self._farewell, kept_back=kept_back)

    def end(self, events: list[Event], reason: str, *, usual: bool = False, kept_back: int = 0) -> None:
        """It is over: everything that was not told yet is told now."""
        self.over = True
        left = self._taken - kept_back
        for copy in (*self._flying, *self._waiting):
            if copy.outcome is not None:
                continue
            kind = OutcomeKind.unsent
            if copy.handed and copy.end <= left and not self._farewell:
                kind = OutcomeKind.uncertain
            copy.outcome = copy.refusal or Outcome(copy.message.delivery, kind, reply=reason)
            events.append(copy)
        self._flying.clear()
        self._waiting.clear()
        events.append(Closed(reason, usual))


def _kind(code: int) -> OutcomeKind:
    if code < 400:
        return OutcomeKind.accepted
    return OutcomeKind.deferred if code < 500 else OutcomeKind.rejected
