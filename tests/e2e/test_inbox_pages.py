"""The local mailbox in Chromium: axe-core, light and dark, narrow and wide; a mail stays in its box."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from digest.web.inbox import Inbox

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "Weekly <weekly@example.test>", "ada@example.test"
    message["Subject"] = "A subject that is as long as subjects can be, and then a little longer than that"
    message.set_content("Text of the message.\n" * 20)
    script = "<script>parent.document.title = 'broken out'</script>"
    html = f"<html lang=en><head><title>Mail</title>{script}</head><body><h1>Mail</h1></body></html>"
    message.add_alternative(html, subtype="html")
    folder: Path = tmp_path_factory.mktemp("mail")
    with Inbox(port=0, maildir=folder, web_port=0) as inbox:
        for number in range(120):
            inbox.maildir.add("bounce+token@example.test", f"r{number}@example.test", message.as_bytes())
        yield inbox


@pytest.mark.parametrize("width", [320, 700, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_inbox_is_clean_to_axe_and_fits_the_screen(
    inbox: Inbox, browser: Browser, scheme: str, width: int
) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]  # axe is a script
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("", f"message/{inbox.maildir.names()[0]}"):
        page.goto(inbox.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        found = Axe().run(page, context={"exclude": [["iframe"]]}).response["violations"]
        assert [(path, each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
        small = page.evaluate(
            "[...document.querySelectorAll('.letter, a.row')]"
            ".filter(each => each.getBoundingClientRect().height < 44).map(each => each.outerHTML)"
        )
        assert small == [], path
    # On a phone the frame of a desk would show a phone again.
    assert page.locator("iframe:visible").count() == (1 if width < 640 else 2)
    context.close()


def test_a_message_is_opened_by_keyboard(inbox: Inbox, browser: Browser) -> None:
    page = browser.new_context().new_page()
    page.goto(inbox.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="A subject that is as long").wait_for()
    page.get_by_role("link", name="All messages").click()
    page.get_by_role("heading", level=1, name="120 messages").wait_for()


def test_a_mail_cannot_leave_its_box(inbox: Inbox, browser: Browser) -> None:
    page = browser.new_context().new_page()
    page.goto(inbox.url)
    page.get_by_role("link", name="A subject that is as long").first.click()
    page.wait_for_load_state("networkidle")
    assert page.title().startswith("A subject")
    assert page.frames[1].get_by_role("heading", name="Mail").count() == 1
