"""How a simulated supervisord reads names: of processes, groups and signals."""

import signal as signals
from collections.abc import Iterable

from supervisor_easy.rpc.fake_process import FakeProgram


def split_namespec(namespec: str) -> tuple[str, str | None]:
    """Split a namespec as supervisord does; a name of None means the whole group."""
    group, colon, name = namespec.partition(":")
    if not colon:
        return namespec, namespec
    return group, None if name in ("", "*") else name


def by_group(programs: Iterable[FakeProgram]) -> dict[str, list[FakeProgram]]:
    """Return the programs by process group, in the order they were given."""
    groups: dict[str, list[FakeProgram]] = {}
    for program in programs:
        groups.setdefault(program.group_name, []).append(program)
    return groups


def signal_name(text: str) -> str:
    """Return a signal's name without SIG, from a name or number; else nothing."""
    try:
        number = int(text)
        return signals.Signals(number).name.removeprefix("SIG")
    except ValueError:
        name = text.upper().removeprefix("SIG")
        return name if hasattr(signals.Signals, f"SIG{name}") else ""
