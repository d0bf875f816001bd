"""What an action would do, said before it does anything; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from supervisor_easy.fleet.phases import Command
from supervisor_easy.fleet.steps import Step
from supervisor_easy.model import Action, Process, ProcessState, Target


@dataclass(frozen=True, slots=True)
class Preview:
    """One target and what the action would do to it as it is now.

    `will` is the action's name, `start` where a restart finds the process down, or
    `nothing`; `note` says why where that is not plain.
    """

    target: Target
    process: Process
    will: str
    note: str = ""


def preview(action: Action, processes: Iterable[Process]) -> list[Preview]:
    """Say for each process what `action` would do, by the rules of `Step` itself."""
    return [_preview(action, process) for process in processes]


def _preview(action: Action, process: Process) -> Preview:
    step = Step(process.target, action, timedelta(0), 0.0)
    command = step.advance(process, 0.0)
    if step.outcome is not None:
        note = step.outcome.error.message if step.outcome.error else ""
        note = note or f"it is {process.state.name}"
        return Preview(process.target, process, "nothing", note)
    if action is Action.RESTART and command is Command.START:
        return Preview(process.target, process, "start", f"it is {process.state.name}")
    if process.state is ProcessState.STOPPING:
        return Preview(process.target, process, action.value, "after its stop")
    return Preview(process.target, process, action.value)
