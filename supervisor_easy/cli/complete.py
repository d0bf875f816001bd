"""Shell completion of names: offline, from what the last command has seen.

Host, group and process names are kept in one small file a fleet, in the user's cache
folder. It is made anew when the inventory file has changed; no secret is in it.
"""

import hashlib
import json
import os
import re
import shlex
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
)

from supervisor_easy.errors import FleetError

if TYPE_CHECKING:
    from supervisor_easy.selector import Catalog

#: Most processes kept for completion; a fleet above it completes hosts and groups.
_MOST_PROCESSES = 20_000

#: Words that no shell expands, splits or runs, but for globs, `~` and `!`.
_HARMLESS = re.compile(r"[\w.@%+,:/=~*?\[\]-]+")

Names = dict[str, Any]


def remember(source: str, catalog: "Catalog") -> None:
    """Keep the names of a fleet for completion; failing to is no matter."""
    processes = [(p.host, p.group, p.name) for p in catalog.processes]
    if len(processes) > _MOST_PROCESSES:
        processes = []
    names = {
        "signature": _signature(source),
        "hosts": {host.name: dict(host.labels) for host in catalog.hosts.values()},
        "groups": list(catalog.groups),
        "processes": processes,
    }
    with suppress(OSError):
        _write(_cache_file(source), json.dumps(names))


def complete_selector(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a selector; behind a host's name `/PROCESS` may follow."""
    from supervisor_easy.selector import complete  # noqa: PLC0415 (if asked for)

    return [
        CompletionItem(text, is_open="/" not in text and "@" not in text)
        for text in complete(incomplete, _catalog(_names(ctx)))
        if _is_harmless(text, incomplete)
    ]


def complete_host(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[str]:
    """Complete a host's name."""
    return _offered(_names(ctx)["hosts"], incomplete)


def complete_group(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[str]:
    """Complete the name of a group of the inventory."""
    return _offered(_names(ctx)["groups"], incomplete)


def _offered(names: Iterable[str], incomplete: str) -> list[str]:
    return [
        name
        for name in names
        if name.startswith(incomplete) and _is_harmless(name, incomplete)
    ]


def _is_harmless(word: str, incomplete: str) -> bool:
    """Say whether a shell would take a word as nothing but a word.

    Names come from hosts, and what is completed is run by Enter. A `!` recalls an
    old command, unless somebody typed it himself to begin a selector.
    """
    is_typed = incomplete.startswith("!")
    return _HARMLESS.fullmatch(word.removeprefix("!") if is_typed else word) is not None


class BashWithSelectors(ShellComplete):
    """Bash completion in which a word may hold `:` and `=`, as selectors do.

    Bash itself ends words at these characters, so it is given only what stands
    behind the last of them.
    """

    name = "bash"
    source_template = """\
%(complete_func)s() {
    local response
    response=$(env COMP_LINE="${COMP_LINE:0:$COMP_POINT}" \
%(complete_var)s=bash_complete "$1")
    if [[ $response == _FILES_ ]]; then
        COMPREPLY=()
        compopt +o nospace -o default
    elif [[ -n $response ]]; then
        mapfile -t COMPREPLY <<< "$response"
    else
        COMPREPLY=()
    fi
}
complete -o nosort -o nospace -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Split the line as the shell will, except at `:` and `=`."""
        line = os.environ.get("COMP_LINE", "")
        try:
            words = shlex.split(line)
        except ValueError:  # an open quote
            words = line.split()
        is_new_word = not line or line[-1].isspace()
        return (words[1:], "") if is_new_word else (words[1:-1], words[-1])

    def complete(self) -> str:
        """Return what follows the last character at which bash ends a word."""
        args, incomplete = self.get_completion_args()
        known = 1 + max(incomplete.rfind(":"), incomplete.rfind("="))
        found = self.get_completions(args, incomplete)
        if any(item.type in ("file", "dir") for item in found):
            return "_FILES_"
        return "\n".join(
            f"{item.value[known:]}{_end_of(item)}"
            for item in found
            if _is_harmless(item.value, incomplete)
        )

    def format_completion(self, item: CompletionItem) -> str:
        """Return one completion as a line."""
        return str(item.value)


add_completion_class(BashWithSelectors)


def _end_of(item: CompletionItem) -> str:
    """Return the blank behind a word that is whole; nothing where more may follow."""
    is_open = item.is_open or item.value.endswith(("/", "=", ":", ","))
    return "" if is_open else " "


def source_of(overrides: Mapping[str, object]) -> str:
    """Return what names the fleet: the console's URL, or the inventory file."""
    server = overrides.get("server") or _setting("server")
    if server:
        return str(server)
    named = overrides.get("inventory") or _setting("inventory")
    if named:
        return str(Path(str(named)).absolute())
    candidates = (Path("inventory.yaml"), Path("/etc/supervisor-easy/inventory.yaml"))
    found = next((path for path in candidates if path.is_file()), candidates[0])
    return str(found.absolute())


def _setting(name: str) -> str | None:
    """Read a setting without the settings: they take longer than a key press."""
    value = os.environ.get(f"FLEET_{name.upper()}")
    file = os.environ.get("FLEET_CONFIG")
    if value or not file:
        return value
    with suppress(OSError, ValueError):
        found = tomllib.loads(Path(file).read_text(encoding="utf-8")).get(name)
        return str(found) if found else None
    return None


def _names(ctx: click.Context) -> Names:
    overrides = getattr(ctx.find_root().obj, "overrides", {})
    source = source_of(overrides)
    kept = _read(_cache_file(source))
    if kept is None or kept["signature"] != _signature(source):
        kept = _from_inventory(source, kept) or kept
    return kept or {"hosts": {}, "groups": [], "processes": []}


def _from_inventory(source: str, kept: Names | None) -> Names | None:
    """Read the inventory for its names: once after each change of the file."""
    if "://" in source or not Path(source).is_file():
        return None
    from supervisor_easy.inventory import load_inventory  # noqa: PLC0415 (slow)

    try:
        inventory = load_inventory(source)
    except FleetError:
        return None
    names = {
        "signature": _signature(source),
        "hosts": {host.name: dict(host.labels) for host in inventory.hosts.values()},
        "groups": list(inventory.groups),
        "processes": kept["processes"] if kept else [],
    }
    with suppress(OSError):
        _write(_cache_file(source), json.dumps(names))
    return names


def _catalog(names: Names) -> "Catalog":
    from supervisor_easy.model import Host, Process, ProcessState  # noqa: PLC0415
    from supervisor_easy.selector import Catalog  # noqa: PLC0415

    def process(host: str, group: str, name: str) -> Process:
        state = ProcessState.UNKNOWN
        return Process(host, group, name, state, 0, 0, 0, 0, 0, "", "", "", "")

    return Catalog(
        hosts={name: Host(name, "", labels) for name, labels in names["hosts"].items()},
        groups=dict.fromkeys(names["groups"], ()),
        processes=[process(*each) for each in names["processes"]],
    )


def _cache_file(source: str) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()
    return Path(base) / "supervisor-easy" / f"names-{digest[:16]}.json"


def _signature(source: str) -> list[int] | None:
    try:
        found = Path(source).stat()
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size]


def _read(path: Path) -> Names | None:
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    wanted: Iterable[str] = ("signature", "hosts", "groups", "processes")
    is_ours = isinstance(names, dict) and all(key in names for key in wanted)
    return names if is_ours else None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, made = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(made).replace(path)
