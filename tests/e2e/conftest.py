"""A browser and a picture server for tests that look at what a reader sees."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, sync_playwright

from tests.sample_edition import PICTURES


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("Chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; the tests are skipped, visibly, where there is none.

    For one module only: Playwright's synchronous door opens once at a time in a thread.
    """
    path = _chromium()
    try:
        playwright = sync_playwright().start()
    except Exception as error:  # noqa: BLE001 - Playwright raises nothing more exact
        pytest.skip(f"Playwright does not start, perhaps for want of libatomic1: {error}")
    try:
        # Without a sandbox: these run as root in continuous integration, on pages that we wrote ourselves.
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()
    finally:
        playwright.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page in a context of its own."""
    context = browser.new_context(viewport={"width": 700, "height": 900})
    yield context.new_page()
    context.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing: requests are not news."""


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address under which the sample edition's pictures are served on this machine."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, (_, _, _, width, height) in PICTURES.items():
        _draw(folder / f"{number}.jpg", width, height, number)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _draw(path: Path, width: int, height: int, number: int) -> None:
    """A sky, a sea and a sun: enough to see how a picture is cropped."""
    image = Image.new("RGB", (width, height), (40 + number * 20, 60, 110))
    pencil = ImageDraw.Draw(image)
    pencil.rectangle((0, height * 0.6, width, height), fill=(20, 40, 70 + number * 10))
    radius = height * 0.2
    pencil.ellipse(
        (width / 2 - radius, height * 0.4, width / 2 + radius, height * 0.4 + 2 * radius),
        fill=(250, 190, 120),
    )
    image.save(path, quality=80)
