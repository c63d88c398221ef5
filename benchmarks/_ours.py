"""The product's whole path in a process of its own: claim, compose, offer, hand over, record.

    python -m benchmarks._ours FOLDER EDITION MESSAGES VARIABLES

`digest.work.send.send` sends the approved edition of an installation (`benchmarks._newsroom`); VARIABLES are
DIGEST_ variables as JSON. What is measured begins at the engine's first report of a result (its `watch`): a
call of `send` also fixes the audience and compiles the edition, once for all copies, and that is told apart
(`before`). It ends when `send` has returned, with everything recorded and the connections closed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks._child import Stretch, cpu_seconds
from digest.app import App
from digest.config import load
from digest.delivery import Progress
from digest.model import DeliveryState
from digest.work.send import send


class FirstResult:
    """Begins the stretch anew at the first results."""

    def __init__(self, stretch: Stretch) -> None:
        self._stretch, self._cpu, self._begun = stretch, cpu_seconds(), False

    def __call__(self, progress: Progress) -> None:
        if not self._begun and progress.settled:
            self._begun = True
            self._stretch.begin(progress.settled, cpu_seconds() - self._cpu)


def main(folder: Path, number: int, messages: int, variables: dict[str, str]) -> None:
    app = App(load(folder / "config.toml", variables))
    edition = app.editions.get(number)
    stretch = Stretch()
    sent = send(app, edition, watch=FirstResult(stretch))
    stretch.tell(messages)
    accepted = sent.counts[DeliveryState.accepted]
    if accepted != messages:
        sys.exit(f"{accepted} of {messages} were accepted: {sent.words}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))
