"""Web pages that a server answers with instead of the file: told from it, and where they ask a question, answered."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin

BEGINNING = 512  # bytes that tell a page


class Unavailable(Exception):
    """A source does not deliver the file, for this reason."""


def is_page(response: Any, beginning: bytes) -> bool:
    """Whether an answer is a web page, by its header or its beginning."""
    announced = "text/html" in response.headers.get("Content-Type", "")
    return announced or re.match(rb"\s*<(!doctype html|html)", beginning, re.IGNORECASE) is not None


def confirmation(page: bytes, address: str) -> str:
    """The address that the form of a page leads to.

    Google Drive asks in this way whether a file is wanted that it has not scanned for viruses.

    Raises:
        Unavailable: there is no form.
    """
    form = _Form()
    form.feed(page.decode("utf-8", "replace"))
    target = urljoin(address, form.action or "")
    if not form.fields or not target.startswith(("http://", "https://")):
        raise Unavailable("a web page instead of the file (a quota, a login, or a file that has moved)")
    return f"{target}{'&' if '?' in target else '?'}{urlencode(form.fields)}"


class _Form(HTMLParser):
    """The action of the first form of a page, and the hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = given.get("action")
        elif tag == "input" and given.get("type") == "hidden" and given.get("name"):
            self.fields[str(given["name"])] = given.get("value") or ""
