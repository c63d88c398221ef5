"""The pages of the local mailbox in Chromium: readable by everyone, narrow and wide, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext

from digest.render import Renderer
from digest.render.templates import folders
from digest.web.inbox import Inbox
from tests.sample_edition import NONCE, edition, presentation

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, pictures: str) -> Iterator[str]:
    """Where the pages of a mailbox with one edition and one odd message are."""
    variant = Renderer(folders(), presentation()).render(edition(pictures=pictures), nonce=NONCE).variant
    message = EmailMessage()
    message["From"] = "The Harbour Post <post@harbourpost.example>"
    message["Subject"] = variant.subject
    message["Date"] = "Tue, 17 Nov 2026 09:00:00 +0000"
    message.set_content(variant.text)
    message.add_alternative(variant.html, subtype="html")
    with Inbox(port=0, maildir=tmp_path_factory.mktemp("mail"), web_port=0) as inbox:
        inbox.maildir.add(
            "x@harbourpost.example", "a.name.that.is.rather.long@subdomain.example.org", b"\r\nNo head"
        )
        inbox.maildir.add("post@harbourpost.example", "anna.lee@example.org", bytes(message))
        yield inbox.url


@pytest.fixture(params=["light", "dark"])
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(color_scheme=request.param, bypass_csp=True)  # axe is a script
    yield context
    context.close()


@pytest.mark.parametrize("width", [320, 700, 1280])
def test_list_and_message_are_clean_to_axe_and_fit_the_screen(
    address: str, context: BrowserContext, width: int
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)
    for name in ("list", "message"):
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        # The mail in the frames has tests of its own.
        found = Axe().run(page, context={"exclude": [["iframe"]]}).response["violations"]
        assert [(name, each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
        small = page.evaluate(
            "[...document.querySelectorAll('.letter, a.row')]"
            ".filter(each => each.getBoundingClientRect().height < 44).map(each => each.outerHTML)"
        )
        assert small == [], name
        if name == "list":
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")  # the newest
            page.get_by_role("heading", level=1, name=edition().subject).wait_for()
    # On a phone the frame of a desk would show a phone again.
    assert page.locator("iframe:visible").count() == (1 if width < 640 else 2)
