"""The pages in Chromium: axe-core, light and dark, narrow and wide; leaving and coming back by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext

from digest.tokens import Purpose, inert, preview_link
from subscribers import SubscriptionState
from tests.web_site import BUILT, WebSite

pytestmark = pytest.mark.browser

NARROW, WIDE = 320, 700


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pictures: str) -> WebSite:
    site = WebSite(tmp_path_factory.mktemp("site"), pictures=pictures)
    draft = site.draft()
    site.editions.hold(draft.id, "Signals are 3 days old; choose by hand.", at=BUILT, by="the schedule")
    return site


@pytest.fixture(scope="module")
def address(site: WebSite) -> Iterator[str]:
    with site.serving() as client:
        yield str(client.base_url).rstrip("/")


@pytest.fixture(params=["light", "dark"])
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(color_scheme=request.param, bypass_csp=True)  # axe is a script
    yield context
    context.close()


def paths(site: WebSite) -> dict[str, str]:
    return {
        "front": "/",
        "leave": f"/u/{site.token}",
        "inert": f"/u/{inert(Purpose.leave)}",
        "dead": "/u/cut-off",
        "help": "/leave",
        "problem": "/nope",
        "preview": f"/preview/{preview_link(site.keys, 'weekly')}/",
        "no draft": f"/preview/{preview_link(site.keys, 'daily')}/",
    }


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_every_page_is_clean_to_axe_and_fits_the_screen(
    site: WebSite, address: str, context: BrowserContext, width: int
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 800})
    for name, path in paths(site).items():
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        # The mail in the preview's frames has tests of its own.
        found = Axe().run(page, context={"exclude": [["iframe"]]}).response["violations"]
        assert [(name, each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
        small = page.evaluate(
            "[...document.querySelectorAll('button, summary, .jumps a, a.row')]"
            ".filter(each => each.getBoundingClientRect().height < 44).map(each => each.outerHTML)"
        )
        assert small == [], name


def test_reader_leaves_comes_back_and_leaves_by_keyboard(
    site: WebSite, address: str, context: BrowserContext
) -> None:
    reader = site.reader
    page = context.new_page()
    page.goto(f"{address}/u/{site.token}")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You have left The Harbour Post.").wait_for()
    assert site.subscribers.subscription(reader.id).state is SubscriptionState.unsubscribed
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Undo: keep me subscribed").click()
    page.get_by_role("heading", name="You are subscribed to The Harbour Post again.").wait_for()
    assert site.subscribers.subscription(reader.id).state is SubscriptionState.confirmed
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Leave after all").click()
    page.get_by_role("heading", name="You have left The Harbour Post.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("heading", name="again").wait_for()


def test_pages_show_nothing_that_their_policy_forbids(site: WebSite, address: str, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for name, path in paths(site).items():
        if name in {"dead", "problem"}:  # a browser remarks on 404
            continue
        page.goto(address + path, wait_until="networkidle")
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily").startswith(
            "Georgia"
        )
    assert said == []
    context.close()
