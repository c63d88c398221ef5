"""HTML from templates/web; files of a configured folder take the place of the product's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from digest.render.templates import folders


class Pages:
    """The templates of one site. `site` are facts that every page may show."""

    def __init__(self, templates: Path | None, site: Mapping[str, object]) -> None:
        self._folders = folders(templates)
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader([str(folder) for folder in self._folders]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(site=site)

    def answer(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """A page. `root` leads from its address up to the site's, which may live under a path."""
        page = self._environment.get_template(f"web/{template}")
        html = page.render(root=_root(request), **context)
        return HTMLResponse(html, status_code=status, headers=dict(headers or {}))

    def static(self, name: str) -> bytes | None:
        """A file of templates/web/static by its plain name; None where there is none."""
        for folder in self._folders:
            file = folder / "web" / "static" / name
            if file.is_file():
                return file.read_bytes()
        return None


def _root(request: Request) -> str:
    """The way up from a page to the site's root, relative: "../" once for each folder the page is in."""
    return "../" * (request.url.path.count("/") - 1) or "./"
