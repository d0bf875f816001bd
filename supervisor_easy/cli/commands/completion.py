"""`fleet completion bash|zsh|fish`: what makes Tab complete names."""

import click
from click.shell_completion import FishComplete, ShellComplete, ZshComplete

from supervisor_easy.cli.complete import BashWithSelectors
from supervisor_easy.cli.context import App, Command, pass_app

_KINDS: dict[str, type[ShellComplete]] = {
    "bash": BashWithSelectors,
    "zsh": ZshComplete,
    "fish": FishComplete,
}
_INSTALL = {
    "bash": "echo 'eval \"$(fleet completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(fleet completion zsh)\"' >> ~/.zshrc",
    "fish": "fleet completion fish > ~/.config/fish/completions/fleet.fish",
}

#: Click keeps the lines after its mark \b as they are.
_HELP = """Print what makes Tab complete commands, hosts, groups and selectors.

\b
bash: echo 'eval "$(fleet completion bash)"' >> ~/.bashrc
zsh:  echo 'eval "$(fleet completion zsh)"' >> ~/.zshrc
fish: fleet completion fish > ~/.config/fish/completions/fleet.fish
"""


@click.command(cls=Command, help=_HELP)
@click.argument("shell", type=click.Choice(list(_INSTALL)))
@pass_app
@click.pass_context
def completion(ctx: click.Context, app: App, *, shell: str) -> None:
    """Print a shell's completion script."""
    script = _KINDS[shell](
        ctx.find_root().command, {}, "fleet", "_FLEET_COMPLETE"
    ).source()
    app.out.line(script)
    if app.out.shows_tables:
        app.out.hint(f"to have it in every shell: {_INSTALL[shell]}")
