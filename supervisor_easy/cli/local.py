"""The backend that talks to the hosts itself, from this machine.

It builds the same services as the console and uses the same journal: an operation
that a dead console or `fleet` left unfinished is finished by the next one.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

from supervisor_easy.cli.backend import (
    BlindHost,
    EventQuery,
    Found,
    Journal,
    Json,
    LogQuery,
    LogStream,
    Order,
    Plan,
    Query,
)
from supervisor_easy.cli.choosing import hosts_named, hosts_to_ask, narrowing
from supervisor_easy.cli.complete import remember
from supervisor_easy.cli.history import find_events
from supervisor_easy.cli.leftovers import finish_leftovers
from supervisor_easy.cli.locallogs import read_logs
from supervisor_easy.cli.localstore import user_name
from supervisor_easy.cli.render import Output
from supervisor_easy.cli.stale import refuse_changed
from supervisor_easy.engine import Engine
from supervisor_easy.errors import EmptySelection, RpcError, StoreError
from supervisor_easy.fleet.actions import Request
from supervisor_easy.fleet.logs import LogSource
from supervisor_easy.fleet.preview import preview
from supervisor_easy.fleet.updates import preview_update
from supervisor_easy.fleet.watcher import look_once
from supervisor_easy.model import (
    Action,
    Actor,
    Host,
    HostCondition,
    HostStatus,
    Operation,
    ProcessConfig,
    Snapshot,
    Stream,
)
from supervisor_easy.selector import Selection, select
from supervisor_easy.services import Services, build
from supervisor_easy.settings import Settings
from supervisor_easy.wire import (
    counts_by_state,
    host_to_dict,
    operation_to_dict,
    process_to_dict,
    target_from_text,
)

logger = logging.getLogger(__name__)

#: How often a live table is drawn anew.
REDRAW_EVERY = timedelta(seconds=1)


class LocalBackend:
    """This machine's own engine, for the time of one command."""

    def __init__(self, settings: Settings, *, journal: Journal, out: Output) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._wants = journal
        self._out = out
        self._services: Services = build(settings)
        self._engine = Engine(self._services)
        self._leftovers: list[Operation] = []

    def __enter__(self) -> Self:
        """Start the engine, and open the journal as far as it is wanted."""
        self._engine.start()
        try:
            self._open_journal()
        except BaseException:
            self._engine.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish what others left, unless we are told to leave; stop the engine."""
        try:
            if kind is None:
                self._finish_leftovers()
        finally:
            self._engine.stop()

    @property
    def name(self) -> str:
        """Who goes on with what we leave."""
        return "the console, or the next fleet command,"

    @property
    def confirm_above(self) -> int:
        """Targets above which a person is asked."""
        return self._settings.confirm_above

    # -- looking

    def processes(self, query: Query) -> Found:
        """Look now and return the processes selected."""
        self._finish_leftovers()
        self._look(self._hosts_of(query))
        return self._found(query)

    def watch(self, query: Query) -> Iterator[Found]:
        """Watch the hosts selected and yield what memory holds, once a second."""
        hosts = self._hosts_of(query)
        self._look(hosts)

        async def begin() -> None:
            self._services.watcher.watch(hosts)

        self._engine.call(begin)
        pause = threading.Event()
        while True:
            yield self._found(query)
            pause.wait(REDRAW_EVERY.total_seconds())

    def hosts(self) -> list[Json]:
        """Look now and return every host."""
        self._look()
        snapshot = self._services.state.snapshot()
        return [host_to_dict(status) for status in snapshot.hosts.values()]

    def groups(self) -> list[Json]:
        """Look now and return every group with its counts."""
        self._look()
        inventory = self._services.inventory.current
        return [
            self._group(name, group.members) for name, group in inventory.groups.items()
        ]

    def configs(self) -> Mapping[str, Sequence[ProcessConfig]] | None:
        """Ask every host that answers for its configuration, all at once."""

        async def ask(name: str) -> Sequence[ProcessConfig]:
            return await self._services.supervisor(name).configs()

        asked = {
            name: self._engine.submit(lambda name=name: ask(name))  # type: ignore[misc]
            for name, status in self._services.state.snapshot().hosts.items()
            if status.condition is HostCondition.UP
        }
        found: dict[str, Sequence[ProcessConfig]] = {}
        for name, future in asked.items():
            # A host that does not tell has no findings; doctor names it elsewhere.
            with contextlib.suppress(RpcError):
                found[name] = future.result()
        return found

    def inventory_warnings(self) -> list[str]:
        """Return what the inventory warns about."""
        inventory = self._services.inventory.current
        file = str(inventory.path)
        return [problem.to_text(file) for problem in inventory.warnings]

    # -- acting

    def plan(self, action: str, query: Query, *, signal: str = "") -> Plan:
        """Say what an action would do; the signal makes no difference to that."""
        del signal
        self._look(self._hosts_of(query))
        selection = self._select(query)
        targets = [
            {
                "target": str(each.target),
                "state": each.process.state.name,
                "pid": each.process.pid,
                "will": each.will,
                "note": each.note,
            }
            for each in preview(Action(action), selection.processes)
        ]
        return Plan(targets, self._blind(selection.blind_hosts))

    def plan_update(self, hosts: Sequence[str]) -> list[Json]:
        """Have hosts read their configuration again and say what would change."""
        asked = [self._services.supervisor(name) for name in self._named(hosts)]
        futures = [
            self._engine.submit(lambda each=each: preview_update(each))  # type: ignore[misc]
            for each in asked
        ]
        previews = [future.result() for future in futures]
        return [
            {
                "host": each.host,
                "added": list(each.diff.added),
                "changed": list(each.diff.changed),
                "removed": list(each.diff.removed),
                "restarts": [process.namespec for process in each.restarts],
                "error": str(each.error) if each.error else None,
            }
            for each in previews
        ]

    def act(self, order: Order) -> Json:
        """Write an operation down and begin it."""
        self._refuse_stale(order.expected)
        request = Request(
            action=Action(order.action),
            targets=tuple(target_from_text(text) for text in order.targets),
            actor=Actor(user_name(), "cli"),
            signal=order.signal,
            reason=order.reason,
            idempotency_key=order.key,
        )
        operation = self._engine.call(lambda: self._services.actions.submit(request))
        return self._with_waiting(operation)

    def operation(self, operation_id: str) -> Json:
        """Return an operation as it stands."""
        actions = self._services.actions
        live = actions.live(operation_id)
        if live is None:
            live = self._engine.call(lambda: actions.operation(operation_id))
        return self._with_waiting(live)

    def cancel(self, operation_id: str) -> None:
        """Begin nothing more of an operation."""

        async def cancel() -> None:
            self._services.actions.cancel(operation_id)

        self._engine.call(cancel)

    # -- logs and history

    def logs(self, logs: LogQuery) -> LogStream:
        """Return log entries, all logs in one stream."""
        blind: Sequence[BlindHost] = ()
        if logs.main_hosts is not None:
            sources = [LogSource.main(host) for host in self._named(logs.main_hosts)]
        else:
            self._look(self._hosts_of(logs.query))
            selection = self._select(logs.query)
            blind = self._blind(selection.blind_hosts)
            stream = Stream(logs.stream)
            sources = [LogSource(each.target, stream) for each in selection.processes]
        entries = read_logs(sources, logs, self._services, self._engine)
        return LogStream(entries, [str(source) for source in sources], blind)

    def events(self, events: EventQuery) -> list[Json]:
        """Return events, oldest first."""
        inventory = self._services.inventory.current
        return find_events(self._services.events, events, inventory)

    # -- inside: looking

    def _look(self, hosts: Sequence[Host] | None = None) -> None:
        """Ask these hosts, by default all, and wait for the last deadline."""
        services = self._services
        known = services.inventory.current.hosts
        wanted = list(known.values()) if hosts is None else hosts
        self._engine.call(
            lambda: look_once(
                [services.supervisors(host) for host in wanted],
                services.state,
                concurrency=self._settings.poll_concurrency,
            )
        )
        if len(wanted) == len(known):
            remember(str(self._settings.inventory.absolute()), services.catalog())

    def _hosts_of(self, query: Query) -> list[Host]:
        return hosts_to_ask(query, self._services.inventory.current)

    def _refuse_stale(self, expected: Mapping[str, int]) -> None:
        """Look again at what somebody agreed to, and refuse if it has changed."""
        if not expected:
            return
        wanted = {text: target_from_text(text) for text in expected}
        known = self._services.inventory.current.hosts
        self._look([known[name] for name in {t.host for t in wanted.values()}])
        snapshot = self._services.state.snapshot()
        found = {text: snapshot.find(target) for text, target in wanted.items()}
        refuse_changed(
            [
                text
                for text, process in found.items()
                if process is None or process.pid != expected[text]
            ]
        )

    def _select(self, query: Query) -> Selection:
        catalog = self._services.catalog()
        selection = select(query.selectors, catalog, narrow=narrowing(query))
        snapshot = self._services.state.snapshot()
        blind = tuple(h for h in selection.blind_hosts if _is_blind(snapshot.hosts[h]))
        if not selection.processes and not blind:
            names = ", ".join(selection.blind_hosts)
            raise EmptySelection(f"nothing is selected: no process runs under {names}")
        return Selection(selection.processes, blind)

    def _found(self, query: Query) -> Found:
        snapshot = self._services.state.snapshot()
        if query:
            selection = self._select(query)
            processes: Sequence[Json] = [
                process_to_dict(each, snapshot.hosts[each.host])
                for each in selection.processes
            ]
            return Found(processes, self._blind(selection.blind_hosts))
        processes = [
            process_to_dict(each, status)
            for status in snapshot.hosts.values()
            for each in status.processes
        ]
        blind = [name for name, s in snapshot.hosts.items() if _is_blind(s)]
        return Found(processes, self._blind(blind))

    def _blind(self, names: Sequence[str]) -> list[BlindHost]:
        hosts = self._services.state.snapshot().hosts
        return [_blind_host(hosts[name]) for name in names]

    def _group(self, name: str, members: Sequence[str]) -> Json:
        snapshot = self._services.state.snapshot()
        try:
            selection = select([f"@{name}"], self._services.catalog())
        except EmptySelection:
            selection = Selection()
        return {
            "name": name,
            "members": list(members),
            "counts": counts_by_state(selection.processes),
            "targets": len(selection.processes),
            "stale": _count_stale(selection, snapshot),
            "blind_hosts": [
                each
                for each in selection.blind_hosts
                if _is_blind(snapshot.hosts[each])
            ],
        }

    def _named(self, names: Sequence[str]) -> list[str]:
        return hosts_named(names, self._services.inventory.current.hosts)

    # -- inside: the journal

    def _open_journal(self) -> None:
        if self._wants is Journal.UNUSED:
            return
        try:
            self._leftovers = self._engine.open_journal()
        except StoreError as error:
            if self._wants is Journal.NEEDED:
                raise
            self._out.warn(
                f"fleet: the database cannot be used, so operations that were left "
                f"unfinished stay so: {error}"
            )

    def _finish_leftovers(self) -> None:
        leftovers, self._leftovers = self._leftovers, []
        finish_leftovers(leftovers, self._services.actions, self._engine, out=self._out)

    def _with_waiting(self, operation: Operation) -> Json:
        waiting = self._services.actions.waiting(operation.id)
        return {**operation_to_dict(operation), "waiting": dict(waiting)}


def _is_blind(status: HostStatus) -> bool:
    return status.condition is not HostCondition.UP and not status.processes


def _blind_host(status: HostStatus) -> BlindHost:
    error = status.error.message if status.error else "it has not been asked yet"
    return BlindHost(status.name, error)


def _count_stale(selection: Selection, snapshot: Snapshot) -> int:
    return sum(snapshot.hosts[each.host].is_stale for each in selection.processes)
