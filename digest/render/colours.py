"""The look's colours, light and dark, and an accent that can be read on all of them.

Contrast is that of WCAG 2.2 (1.4.3): 4.5:1 is the least for text.
"""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass

LEAST_CONTRAST = 4.5
_STEP = 0.01
"""How much darker or lighter an accent becomes at a time, of 1."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One set of colours as ``#RRGGBB``. Text on `accent` has the colour of `card`."""

    page: str
    card: str
    rule: str
    text: str
    muted: str
    accent: str
    tint: str


@dataclass(frozen=True, slots=True)
class Palette:
    """Both schemes; `warnings` says what had to be changed to be readable."""

    light: Scheme
    dark: Scheme
    warnings: tuple[str, ...] = ()


HOUSE_ACCENT = "#9E1B32"
_HOUSE_DARK_ACCENT = "#FF9AA8"  # chosen by eye for the house accent; any other is computed

_LIGHT = Scheme(
    page="#F3F1EC",
    card="#FFFEFC",
    rule="#DEDAD2",
    text="#1C1B1A",
    muted="#5E5B56",
    accent=HOUSE_ACCENT,
    tint="#F7F4EE",
)
_DARK = Scheme(
    page="#131211",
    card="#1E1D1C",
    rule="#3B3936",
    text="#EDEAE4",
    muted="#ACA79F",
    accent=_HOUSE_DARK_ACCENT,
    tint="#282624",
)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    linear = []
    for channel in _channels(colour):
        share = channel / 255
        linear.append(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two ``#RRGGBB`` colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _readable(colour: str, grounds: tuple[str, ...], step: float, least: float) -> str:
    """`colour` in its own hue, darker (`step` < 0) or lighter, just until it stands out from every ground."""
    red, green, blue = (channel / 255 for channel in _channels(colour))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    moved = colour
    while min(contrast(moved, ground) for ground in grounds) < least and 0 <= lightness + step <= 1:
        lightness += step
        shares = colorsys.hls_to_rgb(hue, lightness, saturation)
        moved = "#" + "".join(f"{round(share * 255):02X}" for share in shares)
    return moved


def palette(accent: str = HOUSE_ACCENT) -> Palette:
    """Both schemes for an accent; one that is too weak to read is moved, and the move is reported."""
    warnings: list[str] = []
    wanted = accent.strip().upper()
    if re.fullmatch(r"#[0-9A-F]{3}", wanted):
        wanted = "#" + "".join(digit * 2 for digit in wanted[1:])
    if not re.fullmatch(r"#[0-9A-F]{6}", wanted):
        warnings.append(f"accent {accent!r} is not a colour such as {HOUSE_ACCENT}: that one is used")
        wanted = HOUSE_ACCENT
    # The page and the tint are the grounds that the accent stands out from least.
    light_grounds = (_LIGHT.page, _LIGHT.tint, _LIGHT.card)
    light = _readable(wanted, light_grounds, -_STEP, LEAST_CONTRAST)
    if light != wanted:
        ratio = min(contrast(wanted, ground) for ground in light_grounds)
        warnings.append(
            f"accent {wanted} is too weak to read ({ratio:.1f}:1 where {LEAST_CONTRAST}:1 is needed): "
            f"{light} is used"
        )
    if wanted == HOUSE_ACCENT:
        dark = _HOUSE_DARK_ACCENT
    else:
        # 6:1 rather than 4.5:1: some programs lighten dark grounds a little of their own accord.
        dark = _readable(wanted, (_DARK.page, _DARK.tint, _DARK.card), _STEP, 6.0)
    return Palette(
        light=_with_accent(_LIGHT, light), dark=_with_accent(_DARK, dark), warnings=tuple(warnings)
    )


def _with_accent(scheme: Scheme, accent: str) -> Scheme:
    return Scheme(
        page=scheme.page,
        card=scheme.card,
        rule=scheme.rule,
        text=scheme.text,
        muted=scheme.muted,
        accent=accent,
        tint=scheme.tint,
    )
