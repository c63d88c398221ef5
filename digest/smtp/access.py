"""Access tokens for XOAUTH2: from a command, or for a refresh token (RFC 6749 6); kept while they are good.

Neither a token nor what a command or server says beside it ever gets into an error or a log.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path

from digest.config import Smtp

_PATIENCE = 30.0
"""Seconds for the command, or for the server's answer."""
_UNKNOWN_LIFE = 300.0
"""Seconds that a token is kept whose life is not told."""
_MARGIN = 60.0
"""Seconds before its end that a token is no longer used."""
_LONGEST = 16_384


class NoToken(Exception):  # noqa: N818 - says what there is not
    """Why there is none, in words that hold no secret. `for_good`: asking again would change nothing."""

    def __init__(self, problem: str, *, for_good: bool = False) -> None:
        super().__init__(problem)
        self.for_good = for_good


class Access:
    """The token of one sign-in, for all connections of a transport."""

    def __init__(self, smtp: Smtp) -> None:
        self._smtp = smtp
        self._token, self._good_until = "", 0.0
        self._lock = asyncio.Lock()

    async def token(self, *, refused: str = "") -> str:
        """A token other than `refused`. Raises `NoToken`."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if not self._token or self._token == refused or clock() >= self._good_until:
                self._token = ""
                try:
                    async with asyncio.timeout(_PATIENCE):
                        said = await (self._command() if self._smtp.token_command else self._refreshed())
                except TimeoutError:
                    raise NoToken(f"no token within {_PATIENCE:g} seconds") from None
                token, life = _read(said)
                self._token = token
                self._good_until = clock() + (life - _MARGIN if life else _UNKNOWN_LIFE)
            return self._token

    async def _command(self) -> bytes:
        try:
            program, *arguments = shlex.split(self._smtp.token_command)
            process = await asyncio.create_subprocess_exec(
                program,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it cannot be read"
            raise NoToken(f"token_command cannot be run: {reason}", for_good=True) from None
        try:
            said, _ = await process.communicate()
        except BaseException:
            process.kill()
            raise
        if process.returncode:
            raise NoToken(f"token_command ended with exit code {process.returncode}")
        return said

    async def _refreshed(self) -> bytes:
        import httpx  # noqa: PLC0415 - only those who need it pay for it

        smtp = self._smtp
        fields = {
            "grant_type": "refresh_token",
            "client_id": smtp.client_id,
            "refresh_token": _secret(smtp.refresh_token_file),
        }
        if smtp.client_secret_file is not None:
            fields["client_secret"] = _secret(smtp.client_secret_file)
        try:
            async with httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False) as client:
                answer = await client.post(smtp.token_url, data=fields)
        except httpx.HTTPError as error:
            raise NoToken(f"token_url cannot be reached: {type(error).__name__}") from None
        if answer.status_code != 200:
            code = _error_code(answer.content)
            raise NoToken(
                f"token_url says {answer.status_code}{code and f' {code}'}",
                for_good=400 <= answer.status_code < 500 and answer.status_code != 429,
            )
        return answer.content


def _secret(file: Path | None) -> str:
    assert file is not None
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise NoToken(f"{file} cannot be read: {reason}", for_good=True) from None


def _read(said: bytes) -> tuple[str, float]:
    """A token and its life in seconds (0: not told): a line of text, or the JSON of RFC 6749 5.1."""
    text = said[:_LONGEST].decode("utf-8", "replace").strip()
    life = 0.0
    if text.startswith("{"):
        try:
            document = json.loads(text)
            text, life = str(document["access_token"]), float(document.get("expires_in") or 0)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise NoToken("there is no access_token in what came") from None
    if not text or not all("!" <= c <= "~" for c in text):
        raise NoToken("what came is no access token")
    return text, life if 0 < life < 1e9 else 0.0


def _error_code(content: bytes) -> str:
    """The `error` of RFC 6749 5.2, such as invalid_grant; "" for anything that is not one word."""
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return error if isinstance(error, str) and error.replace("_", "").isalnum() and len(error) < 50 else ""
