"""Takes the pictures of the documentation: ``python -m docs.pictures [NAME ...]``; without a name, all.

They show the sample newspaper in Chromium, on a day that stands still, so that a picture changes only when
what it shows has changed. `real-week` shows the Hacker News front page of one week and needs the folder of
real inputs (benchmarks/real_week.py); where that is missing the picture is left as it is.

Each is taken at twice its size, with rounded corners on a transparent ground for light and dark pages, and at
most 256 colours: sharp, and small enough for a README.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import io
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import uvicorn
from PIL import Image, ImageChops, ImageDraw
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import ranking, real_week
from digest.app import App
from digest.cli.demo import READER, make_demo
from digest.tokens import Purpose, sign
from digest.web import create_app
from digest.web.inbox import Inbox

TARGET = Path(__file__).resolve().parent / "pictures"
NOW = dt.datetime(2026, 11, 17, 9, 0, tzinfo=dt.UTC)
SCALE = 2
MOST_BYTES = 250_000

Scheme = Literal["light", "dark"]
Colour = tuple[int, int, int]
_EDGES: dict[Scheme, Colour] = {"light": (222, 218, 210), "dark": (59, 57, 54)}
"""The look's colour of rules."""
_PHONE: Colour = (140, 136, 128)
_REAL_WEEK_END = dt.date(2021, 2, 22)
_EXACT = 64
"""Colours that are kept as they are."""
_LEVELS = 16
"""Steps from transparent to opaque at the edge: these colours of the palette are for them."""


class StandingClock:
    """It is always `NOW`."""

    def now(self) -> dt.datetime:
        return NOW


@dataclass(frozen=True)
class Studio:
    """What is photographed: the demo in `folder`, its pages at `site`, its mailbox at `inbox`."""

    app: App
    folder: Path
    site: str
    inbox: str
    browser: Browser

    @contextlib.contextmanager
    def page(self, width: int, height: int, scheme: Scheme = "light", scale: float = SCALE) -> Iterator[Page]:
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=scale
        )
        yield context.new_page()
        context.close()

    @property
    def edition(self) -> str:
        """The address of its web version: the HTML that was sent."""
        return f"{self.site}/e/{self.app.editions.get('weekly').name}"


# --- the pictures ---------------------------------------------------------------------------------------


def email(studio: Studio, scheme: Scheme) -> Image.Image:
    """The mail, as wide as it gets, from its head to the end of the second story."""
    with studio.page(640, 1000, scheme) as page:
        page.goto(studio.edition, wait_until="networkidle")
        third = page.locator("table.st").nth(1).bounding_box()
        assert third is not None
        page.set_viewport_size({"width": 640, "height": round(third["y"]) - 1})
        return framed(taken(page), _EDGES[scheme])


def phone(studio: Studio) -> Image.Image:
    """The mail on two phones, light and dark."""
    views: list[Image.Image] = []
    schemes: tuple[Scheme, ...] = ("light", "dark")
    for scheme in schemes:
        with studio.page(375, 760, scheme) as page:
            page.goto(studio.edition, wait_until="networkidle")
            views.append(framed(taken(page), _PHONE, border=5, radius=36))
    gap = 28 * SCALE
    both = Image.new("RGBA", (2 * views[0].width + gap, views[0].height))
    for number, view in enumerate(views):
        both.paste(view, (number * (view.width + gap), 0))
    return both


def preview(studio: Studio) -> Image.Image:
    """The page that `digest preview` writes, on a large screen."""
    with studio.page(1640, 1312, scale=1.25) as page:  # shown smaller than it is, anyway
        page.goto((studio.folder / "preview" / "index.html").as_uri(), wait_until="networkidle")
        return framed(taken(page), _EDGES["light"])


def inbox(studio: Studio) -> Image.Image:
    with studio.page(1280, 620) as page:
        page.goto(studio.inbox, wait_until="networkidle")
        return framed(taken(page), _EDGES["light"])


def leave(studio: Studio) -> Image.Image:
    """The page behind the link at the foot of the mail."""
    reader = next(each for each in studio.app.subscribers.subscriptions("weekly") if each.address == READER)
    with studio.page(760, 420) as page:
        page.goto(
            f"{studio.site}/u/{sign(studio.app.keys, Purpose.leave, reader.id)}", wait_until="networkidle"
        )
        return framed(taken(page), _EDGES["light"])


def real_week_on_a_desk(studio: Studio) -> Image.Image | None:
    """The preview of one real week, as a mail program on a desk shows it."""
    source = ranking.folder()
    if not source.is_dir():
        print(f"no {source}: real-week.png is left as it is")
        return None
    with tempfile.TemporaryDirectory(prefix="digest-pictures-") as scratch:
        room = real_week.imported(source, Path(scratch), readers=1)
        built = room.json("edition build", "edition", "build", "weekly", "--at", f"{_REAL_WEEK_END}T06:00Z")
        room.digest("preview", "preview", built["edition"], "--out", Path(scratch) / "preview")
        with studio.page(700, 1000) as page:
            page.goto((Path(scratch) / "preview" / "digest.html").as_uri(), wait_until="networkidle")
            foot = page.locator("ol").bounding_box()
            assert foot is not None
            page.set_viewport_size({"width": 700, "height": round(foot["y"] + foot["height"]) + 24})
            return framed(taken(page), _EDGES["light"])


PICTURES: dict[str, Callable[[Studio], Image.Image | None]] = {
    "email-light": functools.partial(email, scheme="light"),
    "email-dark": functools.partial(email, scheme="dark"),
    "phone": phone,
    "preview": preview,
    "inbox": inbox,
    "leave": leave,
    "real-week": real_week_on_a_desk,
}


# --- framing and writing --------------------------------------------------------------------------------


def taken(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def framed(picture: Image.Image, edge: Colour, *, border: int = 1, radius: int = 10) -> Image.Image:
    """The picture inside a border with rounded corners; outside of it, it is transparent."""
    width, height = picture.size
    fine = 4  # drawn larger, for smooth corners

    def mask(inset: int) -> Image.Image:
        large = Image.new("L", (width * fine, height * fine), 0)
        box = (inset * fine, inset * fine, (width - inset) * fine - 1, (height - inset) * fine - 1)
        ImageDraw.Draw(large).rounded_rectangle(box, radius=(radius * SCALE - inset) * fine, fill=255)
        return large.resize(picture.size, Image.Resampling.LANCZOS)

    inside = Image.new("RGB", picture.size, edge)
    inside.paste(picture, mask=mask(border * SCALE))
    inside.putalpha(mask(0))
    return inside


def save(picture: Image.Image, path: Path) -> int:
    """Writes it with at most 256 colours, `_LEVELS` of them for its transparent edge; returns its size.

    The colours of the largest areas are kept exactly, so that the look's own are right; the others, which are
    mostly shades of letters and of skies, are found by median cut and k-means.
    """
    flat = Image.new("RGB", picture.size, _EDGES["light"])
    flat.paste(picture, mask=picture)
    counted = sorted(flat.getcolors(flat.width * flat.height) or [], reverse=True)[:_EXACT]
    exact = [colour for _, colour in counted if isinstance(colour, tuple)]
    cut = 256 - _LEVELS - len(exact)
    indexed = flat.quantize(cut, method=Image.Quantize.MEDIANCUT, kmeans=4)
    palette = (indexed.getpalette() or [])[: cut * 3]
    palette += [0] * (cut * 3 - len(palette)) + [channel for colour in exact for channel in colour]

    places = Image.frombytes("L", picture.size, indexed.tobytes())
    for number, colour in enumerate(exact, cut):
        places.paste(number, mask=_of_colour(flat, colour))
    alpha = picture.getchannel("A")
    levels = alpha.point([256 - _LEVELS + level * _LEVELS // 256 for level in range(256)])
    places.paste(levels, mask=alpha.point([255] * 255 + [0]))
    edge = picture.getpixel((picture.width // 4, 0))
    assert isinstance(edge, tuple)
    palette += list(edge[:3]) * _LEVELS

    result = Image.frombytes("P", picture.size, places.tobytes())
    result.putpalette(palette)
    shades = [round(level * 255 / (_LEVELS - 1)) for level in range(_LEVELS)]
    result.save(path, optimize=True, transparency=bytes([255] * (256 - _LEVELS) + shades))
    return path.stat().st_size


def _of_colour(picture: Image.Image, colour: tuple[int, ...]) -> Image.Image:
    """A mask of the pixels that have exactly this colour."""
    apart = ImageChops.difference(picture, Image.new("RGB", picture.size, colour))
    red, green, blue = apart.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue).point([255] + [0] * 255)


# --- the studio -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def studio(folder: Path) -> Iterator[Studio]:
    """A demo in `folder`, served, with a browser before it."""
    app = make_demo(folder, clock=StandingClock(), tell=lambda _: None)
    host, _, port = app.settings.site.listen.rpartition(":")
    listener = socket.create_server((host, int(port)))
    server = uvicorn.Server(uvicorn.Config(create_app(app), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("Chromium is not installed")
    with Inbox(port=0, maildir=folder / "inbox", web_port=0) as mailbox, sync_playwright() as playwright:
        # Without a sandbox, so that root may run it: the pages are our own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield Studio(app, folder, app.settings.site.url, mailbox.url, browser)
        browser.close()
    server.should_exit = True
    thread.join()


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in PICTURES]
    if unknown:
        print(f"no such picture: {', '.join(unknown)}; there are {', '.join(PICTURES)}", file=sys.stderr)
        return 2
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="digest-pictures-") as scratch, studio(Path(scratch)) as ready:
        for name in names or PICTURES:
            picture = PICTURES[name](ready)
            if picture is None:
                continue
            size = save(picture, TARGET / f"{name}.png")
            print(f"{name}.png  {picture.width} x {picture.height}, {size / 1000:.0f} kB", flush=True)
            if size > MOST_BYTES:
                raise SystemExit(f"{name}.png is larger than {MOST_BYTES / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
