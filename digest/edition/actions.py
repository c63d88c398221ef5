"""What may be done with an edition in which state, and the sentence for when it may not.

`held` and `paused` keep the state beneath: a held edition is neither approved nor sent until it is released.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from digest.errors import EditionError
from digest.model import Edition, EditionState


class Action(StrEnum):
    """Named as the commands are."""

    build = "build"
    pin = "pin"
    exclude = "exclude"
    move = "move"
    set = "set"
    approve = "approve"
    hold = "hold"
    release = "release"
    cancel = "cancel"
    send = "send"
    pause = "pause"
    resume = "resume"


@dataclass(frozen=True, slots=True)
class Rule:
    """`states` allow the action; `becomes` is the state after it, None for the same as before."""

    states: frozenset[EditionState]
    becomes: EditionState | None = None


_S = EditionState
_EDITABLE = frozenset({_S.draft, _S.approved})
_LEAVING = frozenset({_S.fanning, _S.sending})

# An edit of what was approved makes it a draft again: the approval named other content.
_EDIT = Rule(_EDITABLE, becomes=_S.draft)

ACTIONS: MappingProxyType[Action, Rule] = MappingProxyType(
    {
        # A cancelled edition is no obstacle to building its period anew, nor one that was never made.
        Action.build: Rule(frozenset({_S.draft, _S.cancelled, _S.skipped}), becomes=_S.draft),
        Action.pin: _EDIT,
        Action.exclude: _EDIT,
        Action.move: _EDIT,
        Action.set: _EDIT,
        Action.approve: Rule(frozenset({_S.draft}), becomes=_S.approved),
        Action.hold: Rule(_EDITABLE),
        Action.release: Rule(_EDITABLE),
        Action.cancel: Rule(_EDITABLE | _LEAVING | {_S.skipped, _S.failed}, becomes=_S.cancelled),
        Action.send: Rule(frozenset({_S.approved}) | _LEAVING),
        Action.pause: Rule(_LEAVING),
        Action.resume: Rule(_LEAVING),
    }
)

_IS = {
    _S.draft: "is still a draft",
    _S.approved: "is approved",
    _S.fanning: "is leaving",
    _S.sending: "is being sent",
    _S.finished: "was sent",
    _S.skipped: "was skipped",
    _S.cancelled: "was cancelled",
    _S.failed: "failed",
}
_CANNOT = {
    Action.build: "cannot be built again",
    Action.pin: "cannot be changed",
    Action.exclude: "cannot be changed",
    Action.move: "cannot be changed",
    Action.set: "cannot be changed",
    Action.approve: "cannot be approved",
    Action.hold: "cannot be held",
    Action.release: "cannot be released",
    Action.cancel: "cannot be cancelled",
    Action.send: "cannot be sent",
    Action.pause: "cannot be paused",
    Action.resume: "cannot be resumed",
}


def allowed(edition: Edition, action: Action) -> bool:
    """Whether `check` would let it pass: for pages that offer only what works."""
    return not _problem(edition, action)


def check(edition: Edition, action: Action) -> EditionState:
    """The state after `action`; EditionError, with the way out, when it is not allowed now."""
    problem = _problem(edition, action)
    if problem:
        raise EditionError(edition.name, problem, hint=_way_out(edition, action))
    return ACTIONS[action].becomes or edition.state


def _problem(edition: Edition, action: Action) -> str:
    """The end of the sentence "edition weekly/2026-11-16 ...", or ""."""
    if edition.state not in ACTIONS[action].states:
        return f"{_IS[edition.state]} and {_CANNOT[action]}"
    forward = action in (Action.approve, Action.send)
    problems = (
        (forward and edition.held, f"is held and {_CANNOT[action]}: {edition.held}"),
        (action is Action.send and edition.paused, f"is paused: {edition.paused}"),
        (action is Action.pause and edition.paused, f"is paused already: {edition.paused}"),
        (action is Action.release and not edition.held, "is not held"),
        (action is Action.approve and not edition.stories, f"has no stories and {_CANNOT[action]}"),
    )
    return next((problem for found, problem in problems if found), "")


def _way_out(edition: Edition, action: Action) -> str:  # noqa: PLR0911 - one answer to a case
    name, state = edition.name, edition.state
    if edition.held and state in _EDITABLE and action in (Action.approve, Action.send):
        return f"Settle it, then release it: digest edition release {name}"
    if edition.paused and state in _LEAVING:
        return f"Go on with: digest send {name} --resume"
    if state is _S.draft:
        return {
            Action.send: f"Approve it first: digest edition approve {name}",
            Action.approve: f"Pin a story (digest edition pin {name} STORY), or cancel it.",
        }.get(action, "Nothing needs to be done.")
    if state is _S.approved:
        return {
            Action.build: f"Cancel it first: digest edition cancel {name}",
            Action.approve: f"Nothing needs to be done; it leaves by schedule, or with: digest send {name}",
        }.get(action, "Nothing needs to be done.")
    if state in _LEAVING:
        return f"To stop what has not left yet: digest edition cancel {name}"
    if state in (_S.skipped, _S.failed):
        return f"To build its period again, cancel it: digest edition cancel {name}"
    if state is _S.cancelled:
        return f"Build its period again: digest edition build {edition.newsletter}"
    return "What was sent stays as it is; the next edition can be changed."
