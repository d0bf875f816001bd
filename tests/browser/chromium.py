"""Finds a Chromium and opens it; every page is watched for what it must not do."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

#: Names under which a browser may be on the path; the environment's choice is first.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Where Playwright's own is told by an environment variable, or found by itself.
VARIABLE = "FLEET_TEST_CHROMIUM"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
#: Milliseconds that an expectation may take.
PATIENCE = 15_000


def find_chromium(playwright: Playwright) -> str | None:
    """Return the program to run, None where there is no browser at all."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    own = playwright.chromium.executable_path
    return found or (own if Path(own).exists() else None)


def launch(playwright: Playwright) -> Browser | None:
    """Start the browser; None where there is none."""
    program = find_chromium(playwright)
    if program is None:
        return None
    return playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))


@dataclass
class Watched:
    """What pages of one context did that they must not do."""

    origin: str
    complaints: list[str] = field(default_factory=list)

    def attach(self, context: BrowserContext) -> None:
        """Watch every page of the context."""
        context.on("page", self._watch)
        context.on("request", lambda request: self._asked(request.url))

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", lambda message: self._said(message.type, message.text))

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and "Content Security Policy" in text:
            self.complaints.append(text)

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("data", "blob"):
            return
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.complaints.append(f"asked another origin: {url}")


@contextmanager
def a_browser_of(
    browser: Browser, origin: str, *, scheme: str = "light", width: int = 1280
) -> Iterator[Page]:
    """Yield a fresh browser's page; at the end it must have done nothing wrong."""
    context = browser.new_context(
        base_url=origin,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 844 if width < 500 else 800},
    )
    context.set_default_timeout(PATIENCE)
    watched = Watched(origin)
    watched.attach(context)
    try:
        yield context.new_page()
    finally:
        context.close()
    assert watched.complaints == []
