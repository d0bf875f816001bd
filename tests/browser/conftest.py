"""A console over real supervisords, and a real browser."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from supervisor_easy.access import Role
from tests.browser.chromium import a_browser_of, launch
from tests.daemons import Program, Supervisord, shell
from tests.web.consoles import (
    PASSWORD,
    RunningConsole,
    settings_for,
    wait_until_up,
    write_inventory,
)

ARTIFACTS = Path(__file__).parents[2] / ".artifacts" / "screenshots"
PROGRAMS = (
    Program("celery", shell("while :; do echo working; sleep 1; done"), numprocs=2),
    Program("beat", startsecs=1),
    Program("broken", "/bin/false", startsecs=1, options={"startretries": 0}),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here: it drives a real Chromium and real supervisords."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser: a missing one is a failure in CI, else a reason to skip.

    It ends with this package, because Playwright keeps an event loop running in this
    thread for as long as it lives, and other tests run loops of their own.
    """
    with sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            if os.environ.get("CI"):
                pytest.fail("no Chromium; install one or set FLEET_TEST_CHROMIUM")
            pytest.skip("no Chromium")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Supervisord]]:
    """Two real hosts."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(Supervisord(PROGRAMS, name=name))
            for name in ("scan01", "scan02")
        ]


@pytest.fixture(scope="module")
def console(
    hosts: list[Supervisord], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningConsole]:
    """A console that watches them."""
    folder = tmp_path_factory.mktemp("console")
    write_inventory(
        folder / "inventory.yaml",
        {host.name: host.url for host in hosts},
        groups={"scanners": ["scan*/celery:*"], "beats": ["scan*/beat"]},
        labels={"scan01": {"dc": "sh", "role": "scanner"}, "scan02": {"dc": "bj"}},
    )
    with RunningConsole(settings_for(folder)) as made:
        wait_until_up(made.services, len(hosts))
        yield made


@pytest.fixture
def log_in(chromium: Browser, console: RunningConsole) -> Iterator[Callable[..., Page]]:
    """Log a fresh browser in; what it must not do fails the test at its end."""
    with ExitStack() as stack:

        def log_in(
            role: Role = Role.OPERATOR, *, scheme: str = "light", width: int = 1280
        ) -> Page:
            page = stack.enter_context(
                a_browser_of(chromium, console.url, scheme=scheme, width=width)
            )
            page.goto("/login")
            page.get_by_label("User").fill(role.value)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            page.wait_for_selector("#live[data-state=on]")
            return page

        yield log_in


@pytest.fixture
def shoot() -> Callable[[Page, str], None]:
    """Keep a screenshot."""

    def shoot(page: Page, name: str) -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)

    return shoot
