"""The local mailbox for trying things: takes all mail on loopback, keeps it, shows it on a page.

    with Inbox(port=2525, maildir=folder, web_port=8025) as inbox:
        ...  # send to 127.0.0.1:2525, look at inbox.url

Both servers run in one thread with an event loop of their own, so that tests and the demo can use it beside
whatever sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.smtp import SMTP

from digest.errors import UsageError
from digest.web.maildir import Maildir

if TYPE_CHECKING:
    import uvicorn

HOST = "127.0.0.1"
"""Nothing else: whoever reaches it could read all that arrived, and fill the disk."""
_LARGEST = 64 * 1024 * 1024


class _Handler:
    """What aiosmtpd asks when a message has arrived."""

    def __init__(self, maildir: Maildir) -> None:
        self._maildir = maildir

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        try:
            names = [
                self._maildir.add(envelope.mail_from or "", to, envelope.content) for to in envelope.rcpt_tos
            ]
        except OSError as error:
            return f"452 4.3.1 cannot be kept: {error.strerror}"
        return f"250 2.0.0 kept as {names[-1]}"


class Inbox:
    """Listens within its `with` block. Port 0 takes a free one; `web_port` None serves no pages."""

    def __init__(self, *, port: int = 2525, maildir: Path, web_port: int | None = None) -> None:
        self.maildir = Maildir(maildir)
        self._wanted, self._wanted_web = port, web_port
        self.port = port
        self.web_port = web_port
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """Where the page is; "" without one."""
        return f"http://{HOST}:{self.web_port}/" if self.web_port is not None else ""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            mail = opened.enter_context(_listening(self._wanted, "--port"))
            web = None
            if self._wanted_web is not None:
                web = opened.enter_context(_listening(self._wanted_web, "--web-port"))
                self.web_port = web.getsockname()[1]
            self.port = mail.getsockname()[1]
            opened.pop_all()
        self._thread = threading.Thread(target=self._run, args=(mail, web), name="inbox", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        """Ends both servers; a message that is under way is not answered and not kept."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()

    def _run(self, mail: socket.socket, web: socket.socket | None) -> None:
        try:
            asyncio.run(self._serve(mail, web))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread of whoever waits for it
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self, mail: socket.socket, web: socket.socket | None) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        handler = _Handler(self.maildir)

        def talk() -> SMTP:
            return SMTP(
                handler,
                hostname="inbox",
                ident="digest inbox",
                data_size_limit=_LARGEST,
                enable_SMTPUTF8=True,
            )

        async with await self._loop.create_server(talk, sock=mail):
            if web is None:
                self._ready.set()
                await self._stop.wait()
            else:
                pages = self._pages()
                serving = asyncio.create_task(pages.serve(sockets=[web]))
                self._ready.set()
                await self._stop.wait()
                pages.should_exit = True
                await serving
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()  # connections that wait for their next command

    def _pages(self) -> uvicorn.Server:
        import uvicorn  # noqa: PLC0415 - only where pages are wanted

        from digest.web.inbox_pages import create_app  # noqa: PLC0415

        class Quiet(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Any:
                """Signals belong to whoever runs the inbox, and this is not the main thread."""
                yield

        config = uvicorn.Config(
            create_app(self.maildir), log_config=None, access_log=False, lifespan="off",
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        return Quiet(config)


def _listening(port: int, option: str) -> socket.socket:
    # The protocol is named because asyncio looks at it before it turns off Nagle's algorithm.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"the inbox cannot listen on {HOST}:{port}: {error.strerror}",
            hint=f"Stop what is there, or choose another one with {option}.",
        ) from None
    return listener
