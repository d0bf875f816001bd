"""What an operator does with the console, as an operator does it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from supervisor_easy.access import Role
from supervisor_easy.model import OperationStatus
from tests.browser.chromium import a_browser_of
from tests.daemons import Supervisord
from tests.eventually import eventually
from tests.web.consoles import PASSWORD, RunningConsole

LogIn = Callable[..., Page]
Shoot = Callable[[Page, str], None]

expect.set_options(timeout=15_000)


def pids(hosts: list[Supervisord]) -> set[int]:
    return {
        int(str(host.info(f"celery:celery_{n:02d}")["pid"]))
        for host in hosts
        for n in range(2)
    }


def count_operations(console: RunningConsole) -> int:
    return len(console.services.journal.list(limit=500))


def wait_for_quiet(console: RunningConsole) -> None:
    """Wait until nothing is under way."""
    eventually(
        lambda: all(
            each.status is not OperationStatus.RUNNING
            for each in console.services.journal.list()
        ),
        within=20,
    )


def test_a_login_leads_to_the_problems_and_a_logout_back(log_in: LogIn) -> None:
    page = log_in()

    expect(page.locator("h2", has_text="Processes with problems")).to_be_visible()
    page.locator(".usermenu summary").click()
    page.get_by_role("button", name="Log out").click()

    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_group_is_restarted_with_a_preview_progress_and_outcomes(
    log_in: LogIn, hosts: list[Supervisord], shoot: Shoot
) -> None:
    before = pids(hosts)
    page = log_in()
    page.get_by_role("link", name="Groups", exact=True).click()
    card = page.locator("article", has_text="scanners")

    card.get_by_role("link", name="Restart all 4").click()
    expect(page.locator("#targets tbody tr")).to_have_count(4)
    expect(page.locator("#targets")).to_contain_text("scan02/celery:celery_01")
    shoot(page, "confirm-light")
    assert pids(hosts) == before
    page.get_by_label("Reason").fill("memory leak")
    page.get_by_role("button", name="Restart 4 processes").click()

    expect(page.locator("[data-op=status]")).to_have_text("done")
    expect(page.locator("#outcomes .chip-changed")).to_have_count(4)
    shown = page.locator("#outcomes [data-f=after]").all_inner_texts()
    after = pids(hosts)
    assert {int(re.sub(r"\D", "", text)) for text in shown} == after
    assert not before & after
    shoot(page, "operation-light")


def test_a_double_click_acts_once(log_in: LogIn, console: RunningConsole) -> None:
    page = log_in()
    before = count_operations(console)
    page.goto("/actions/new?action=restart&selector=scan01/celery:*")

    page.get_by_role("button", name="Restart 2 processes").dblclick()

    expect(page.locator("[data-op=status]")).to_have_text("done")
    assert count_operations(console) == before + 1


def test_without_scripts_a_double_click_acts_once_too(
    chromium: Browser, console: RunningConsole
) -> None:
    context = chromium.new_context(base_url=console.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("User").fill("operator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    before = count_operations(console)
    page.goto("/actions/new?action=restart&selector=scan01/celery:*")

    page.get_by_role("button", name="Restart 2 processes").dblclick()

    expect(page.get_by_role("heading", name="Restart 2 processes")).to_be_visible()
    wait_for_quiet(console)
    assert count_operations(console) == before + 1
    context.close()


def test_a_page_that_has_become_stale_is_refused(
    log_in: LogIn, console: RunningConsole, hosts: list[Supervisord]
) -> None:
    wait_for_quiet(console)
    page = log_in()
    page.goto("/actions/new?action=restart&selector=scan01/beat")
    old = hosts[0].info("beat")["pid"]
    hosts[0].call("stopProcess", "beat")
    hosts[0].call("startProcess", "beat")
    state = console.services.state
    eventually(
        lambda: all(
            process.pid != old and process.pid
            for process in state.snapshot().hosts["scan01"].processes
            if process.name == "beat"
        )
    )
    now = hosts[0].info("beat")["pid"]

    page.get_by_role("button", name="Restart 1 process").click()

    expect(page.locator("main")).to_contain_text("changed since you looked")
    assert hosts[0].info("beat")["pid"] == now


def test_a_state_change_appears_in_the_open_page(
    log_in: LogIn, hosts: list[Supervisord]
) -> None:
    page = log_in(Role.VIEWER)
    page.goto("/processes?selector=scan02/beat")
    row = page.locator('[data-process="scan02/beat:beat"]')
    expect(row.locator("[data-f=state]")).to_have_text("RUNNING")

    hosts[1].call("stopProcess", "beat")

    expect(row.locator("[data-f=state]")).to_have_text("STOPPED")
    expect(row.locator("[data-f=pid]")).to_have_text("")
    hosts[1].call("startProcess", "beat")
    expect(row.locator("[data-f=state]")).to_have_text("RUNNING")


def test_a_host_that_dies_while_one_looks_is_shown_at_once(
    log_in: LogIn, hosts: list[Supervisord], shoot: Shoot
) -> None:
    page = log_in(Role.VIEWER)
    page.goto("/processes?selector=scan02")
    row = page.locator('[data-process="scan02/beat:beat"]')
    home = page.context.new_page()
    home.goto("/")

    with hosts[1].outage():
        expect(row).to_have_class(re.compile("is-stale"))
        expect(row).to_contain_text("host silent")
        home.bring_to_front()
        expect(home.locator("h2", has_text="Hosts that do not answer")).to_be_visible()
        shoot(home, "home-trouble-light")

    page.bring_to_front()
    expect(row).not_to_have_class(re.compile("is-stale"))


def test_a_viewer_finds_no_buttons_and_is_refused_by_the_server(
    log_in: LogIn, console: RunningConsole
) -> None:
    page = log_in(Role.VIEWER)
    before = count_operations(console)
    for path in ("/groups", "/processes", "/hosts/scan01"):
        page.goto(path)
        expect(page.locator("main .btn").filter(has_text="estart")).to_have_count(0)

    answer = page.goto("/actions/new?action=restart&selector=*")

    assert answer is not None
    assert answer.status == 403
    assert count_operations(console) == before


def test_tabs_share_one_stream(log_in: LogIn, console: RunningConsole) -> None:
    page = log_in(Role.VIEWER)
    hub = console.console._hub
    eventually(lambda: hub.count == 1)

    tabs = [page.context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.goto("/hosts")
        tab.wait_for_selector("#live[data-state=on]")

    assert hub.count == 1


def test_the_log_of_a_process_is_shown_and_followed(log_in: LogIn) -> None:
    page = log_in(Role.VIEWER)
    page.goto("/hosts/scan01/celery:celery_00")
    lines = page.locator("[data-lines] span")
    expect(lines.first).to_have_text(re.compile("working"))

    page.get_by_role("button", name="Follow").click()
    expect(lines.first).to_be_visible()
    shown = lines.count()

    eventually(lambda: lines.count() > shown, within=15)


def test_a_wrong_selector_is_explained_in_the_page(log_in: LogIn) -> None:
    page = log_in(Role.VIEWER)
    page.goto("/processes")

    page.get_by_label("Selector").fill("scan1/beat")
    page.keyboard.press("Enter")

    expect(page.locator("#selector-error")).to_contain_text("did you mean")


def test_rows_are_chosen_with_the_keyboard_and_acted_on(log_in: LogIn) -> None:
    page = log_in()
    page.goto("/processes?selector=scan01/celery")
    page.get_by_label("Choose scan01/celery:celery_00").focus()
    page.keyboard.press("Space")
    expect(page.locator("[data-chosen-count]")).to_have_text("1 chosen")

    page.get_by_role("button", name="Stop", exact=True).press("Enter")

    expect(page.get_by_role("heading", name="Stop 1 process?")).to_be_visible()


@pytest.mark.parametrize(
    ("look", "scheme", "width"),
    [("light", "light", 1280), ("dark", "dark", 1280), ("phone", "light", 390)],
)
def test_every_page_fits_and_can_be_looked_at(
    log_in: LogIn, shoot: Shoot, *, look: str, scheme: str, width: int
) -> None:
    page = log_in(scheme=scheme, width=width)
    pages = {
        "home": "/",
        "groups": "/groups",
        "hosts": "/hosts",
        "processes": "/processes",
        "host": "/hosts/scan01",
        "process": "/hosts/scan01/celery:celery_00",
        "actions": "/actions",
        "events": "/events",
    }
    for name, path in pages.items():
        page.goto(path)
        page.wait_for_selector("#live[data-state=on]")
        shoot(page, f"{name}-{look}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_a_restarted_console_is_noticed_and_found_again(
    chromium: Browser, console: RunningConsole
) -> None:
    with a_browser_of(chromium, console.url) as page:
        page.goto("/login")
        page.get_by_label("User").fill("viewer")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_selector("#live[data-state=on]")

        console.serve_anew()

        expect(page.locator("#lost")).to_contain_text("Connection lost: data of")
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        expect(page.locator("#lost")).to_be_hidden()
