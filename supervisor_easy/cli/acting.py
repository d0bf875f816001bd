"""How every action goes: show the exact targets, ask, act, tell each outcome."""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import click

from supervisor_easy.cli.backend import Backend, BlindHost, Json, Order
from supervisor_easy.cli.context import App
from supervisor_easy.cli.exits import ExitCode, exit_code_of_outcomes
from supervisor_easy.cli.interrupts import Interrupts
from supervisor_easy.cli.render import Bar, Format, plain_row
from supervisor_easy.cli.tables import Table
from supervisor_easy.cli.views import (
    blind_line,
    outcome_row,
    outcome_target,
    outcomes_table,
    plural,
    summary_line,
)
from supervisor_easy.errors import FleetError

#: Between two looks at an operation; the first ones come sooner.
LOOK_EVERY = timedelta(milliseconds=250)
_FIRST_LOOK = timedelta(milliseconds=50)
#: Lines of a failed process's log that are shown.
_TAIL_LINES = 10


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is about to be done, decided but not begun.

    `targets` are sent; `touched` is how many of them something will happen to, which
    is what a person is asked about. Where somebody was asked, `expected` (pids by
    target) and `recheck`, which raises `StaleRequest`, hold us to what was shown.
    """

    action: str
    words: str
    targets: tuple[str, ...]
    touched: int
    document: object
    table: Table
    blind_hosts: Sequence[BlindHost] = ()
    signal: str = ""
    reason: str = ""
    always_asks: bool = False
    expected: Mapping[str, int] = field(default_factory=dict)
    recheck: Callable[[], None] | None = None


def carry_out(
    app: App, backend: Backend, proposal: Proposal, *, is_sure: bool, is_dry_run: bool
) -> ExitCode:
    """Show, ask, act and report; return the exit code."""
    out = app.out
    if is_dry_run:
        out.show(proposal.document, proposal.table)
        out.say("dry run: nothing was done")
        _tell_blind(app, proposal.blind_hosts)
        return ExitCode.FAILED if proposal.blind_hosts else ExitCode.OK
    must_ask = not is_sure and _must_ask(proposal, limit=backend.confirm_above)
    if proposal.targets:
        # Nobody agrees to what was not shown, so -q does not silence this.
        out.say(f"{proposal.words}:", always=must_ask)
        out.show_talk(proposal.table, always=must_ask)
    _tell_blind(app, proposal.blind_hosts)
    if not proposal.targets:
        if not proposal.blind_hosts:
            out.say(f"nothing to {proposal.action}")
        _show_nothing(app, proposal)
        return ExitCode.FAILED if proposal.blind_hosts else ExitCode.OK
    if must_ask:
        if not _may_go_on(app, proposal, limit=backend.confirm_above):
            out.say("nothing was done")
            return ExitCode.REFUSED
        if proposal.recheck is not None:
            proposal.recheck()
    return _act(app, backend, proposal, expected=proposal.expected if must_ask else {})


def _act(
    app: App, backend: Backend, proposal: Proposal, *, expected: Mapping[str, int]
) -> ExitCode:
    """Begin it and follow it; once begun, it is never left without its name."""
    order = Order(
        proposal.action,
        proposal.targets,
        key=f"cli-{secrets.token_hex(16)}",
        signal=proposal.signal,
        reason=proposal.reason,
        expected=expected,
    )
    with Interrupts() as interrupts:
        try:
            operation = backend.act(order)
        except KeyboardInterrupt:
            app.out.warn(
                "left before it was known whether the operation had begun; "
                "fleet events --kind action tells"
            )
            raise
        return _Following(app, backend, operation, proposal).to_the_end(interrupts)


def _tell_blind(app: App, blind_hosts: Sequence[BlindHost]) -> None:
    for each in blind_hosts:
        app.out.warn(f"nothing can be done on {blind_line(each)}")


def _show_nothing(app: App, proposal: Proposal) -> None:
    if app.out.format in (Format.JSON, Format.YAML):
        document: Json = {
            "id": None,
            "action": proposal.action,
            "outcomes": [],
            "blind_hosts": _blind_documents(proposal.blind_hosts),
            "summary": {},
        }
        app.out.show(document, outcomes_table([]))


def _blind_documents(blind_hosts: Sequence[BlindHost]) -> list[Json]:
    return [{"host": each.host, "error": each.error} for each in blind_hosts]


def _must_ask(proposal: Proposal, *, limit: int) -> bool:
    if not proposal.targets:
        return False
    return proposal.always_asks or proposal.touched > limit


def _may_go_on(app: App, proposal: Proposal, *, limit: int) -> bool:
    """Ask; without a terminal, refuse.

    Raises:
        UsageError: nobody can be asked.
    """
    count = proposal.touched or len(proposal.targets)
    if not app.out.can_ask:
        why = "this always asks" if proposal.always_asks else f"the limit is {limit}"
        raise click.UsageError(
            f"{proposal.words}, and there is no terminal to ask on ({why}); add --yes"
        )
    answer = app.out.ask(f"Type {count} to go on, anything else to leave:")
    return answer == str(count)


class _Following:
    """One operation from its beginning to its outcomes."""

    def __init__(
        self, app: App, backend: Backend, operation: Json, proposal: Proposal
    ) -> None:
        self._app = app
        self._backend = backend
        self._operation = operation
        self._proposal = proposal
        self._told: set[str] = set()
        self._is_interrupted = False

    def to_the_end(self, interrupts: Interrupts) -> ExitCode:
        """Follow until every target has its outcome, or until told to leave."""
        title = self._proposal.action.replace("_", " ")
        try:
            with self._app.out.progress(title, len(self._proposal.targets)) as bar:
                self._follow(bar, interrupts)
            interrupts.hold()
        except KeyboardInterrupt:
            pass  # the second one: leave, and say what is left
        except FleetError:
            self._app.out.warn(
                f"operation {self._operation['id']} was begun, and what becomes of it "
                "cannot be seen from here; fleet events tells"
            )
            raise
        self._is_interrupted = interrupts.count > 0
        return self._report()

    def _follow(self, bar: Bar, interrupts: Interrupts) -> None:
        pause = threading.Event()
        span = _FIRST_LOOK
        is_cancelled = False
        while not self._is_over(bar):
            if interrupts.count and not is_cancelled:
                is_cancelled = True
                self._cancel()
            pause.wait(span.total_seconds())
            span = min(span * 2, LOOK_EVERY)
            self._operation = self._backend.operation(self._operation["id"])

    def _is_over(self, bar: Bar) -> bool:
        self._tell(bar)
        return bool(self._operation["status"] != "running")

    def _tell(self, bar: Bar) -> None:
        outcomes = self._operation["outcomes"]
        waiting = self._operation.get("waiting") or {}
        note = next(iter(waiting.values()), "")
        bar.move(len(outcomes), note=note)
        if not self._app.out.streams_lines:
            return
        for each in outcomes:
            if outcome_target(each) not in self._told:
                self._told.add(outcome_target(each))
                self._app.out.line(plain_row(outcome_row(each)))

    def _cancel(self) -> None:
        out, operation_id = self._app.out, self._operation["id"]
        try:
            self._backend.cancel(operation_id)
        except FleetError as error:
            out.warn(f"operation {operation_id} cannot be cancelled: {error}")
            return
        out.warn(
            f"cancelled operation {operation_id}: nothing more is begun, what was "
            "begun goes on to its end; Ctrl-C again leaves at once"
        )

    def _report(self) -> ExitCode:
        operation, out = self._operation, self._app.out
        document = {
            **{key: value for key, value in operation.items() if key != "waiting"},
            "blind_hosts": _blind_documents(self._proposal.blind_hosts),
        }
        if not out.streams_lines:
            out.show(document, outcomes_table(operation["outcomes"]))
        for each in operation["outcomes"]:
            if each["outcome"] in ("failed", "unknown") and each["log_tail"]:
                self._show_tail(each)
        if operation["status"] == "running":
            out.warn(
                f"left with {plural(len(operation['pending']), 'target')} without an "
                f"outcome; {self._backend.name} finishes operation {operation['id']}"
            )
            return ExitCode.INTERRUPTED
        out.say(summary_line(operation))
        if self._is_interrupted:
            left = sum(each["outcome"] == "skipped" for each in operation["outcomes"])
            out.warn(
                f"interrupted: operation {operation['id']} has ended, "
                f"{plural(left, 'target')} left alone"
            )
            return ExitCode.INTERRUPTED
        return exit_code_of_outcomes(
            operation["outcomes"], has_blind_hosts=bool(self._proposal.blind_hosts)
        )

    def _show_tail(self, outcome: Json) -> None:
        lines = outcome["log_tail"].splitlines()[-_TAIL_LINES:]
        self._app.out.say(f"the end of the log of {outcome_target(outcome)}:")
        for line in lines:
            self._app.out.hint(f"  {line}")
