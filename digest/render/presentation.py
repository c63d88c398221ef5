"""What the newsletter's configuration says about its appearance, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

from digest.render.colours import HOUSE_ACCENT
from digest.render.figures import locale_of


@dataclass(frozen=True, slots=True)
class Presentation:
    """The facts that an edition's own content does not hold; `digest.app` fills it from the settings.

    `web_url` is the address of this edition on the web, "" for none; `zone` decides which days the masthead
    names; `direction` is "" for what the language is written in, else ``ltr`` or ``rtl``.
    """

    name: str
    title: str
    language: str = "en"
    zone: str = "UTC"
    accent: str = HOUSE_ACCENT
    logo: str = ""
    site_url: str = ""
    postal_address: str = ""
    web_url: str = ""
    show_figures: bool = True
    direction: str = ""
    mark: str = ""
    """What links to stories have more in their query, so that a log shows where a reader came from."""

    @property
    def dir(self) -> str:
        """``ltr`` or ``rtl``, as in HTML."""
        if self.direction in ("ltr", "rtl"):
            return self.direction
        return direction_of(self.language)


def direction_of(language: str) -> str:
    """The direction that a language is written in; ``ltr`` for one that is not known."""
    return "rtl" if locale_of(language).text_direction == "rtl" else "ltr"
