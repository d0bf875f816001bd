"""The reference pages say what the program does, for they are made from it."""

import re
from pathlib import Path

import pytest

from supervisor_easy.cli.docs import cli_page, settings_page
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.root import COMMANDS
from supervisor_easy.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"
MAKE = "run python -m supervisor_easy.cli.docs"


def test_the_cli_page_is_what_the_commands_say() -> None:
    assert (DOCS / "cli.md").read_text("utf-8") == cli_page(), MAKE


def test_the_settings_page_is_what_the_settings_say() -> None:
    assert (DOCS / "settings.md").read_text("utf-8") == settings_page(), MAKE


@pytest.mark.parametrize("name", [name for each in COMMANDS.values() for name in each])
def test_every_command_is_on_the_cli_page(name: str) -> None:
    assert f"### `fleet {name}`" in cli_page()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_meaning(name: str) -> None:
    description = Settings.model_fields[name].description

    assert description, f"describe {name}, with its unit"


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_is_on_the_cli_page(code: ExitCode) -> None:
    assert f"| {int(code)} |" in cli_page()


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = [
        f"{page.name} -> {target}"
        for page in DOCS.glob("*.md")
        for target in re.findall(r"\]\(([^)#:]+\.md)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []
