"""The composition root: the only place that wires the parts together.

`build` constructs everything and starts nothing: no thread, no socket, no database
connection. `engine.Engine` starts and stops what runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from supervisor_easy.clock import Clock, SystemClock
from supervisor_easy.fleet.actions import Actions
from supervisor_easy.fleet.journaling import JournalWriter
from supervisor_easy.fleet.logs import LogFanIn
from supervisor_easy.fleet.recorder import EventRecorder
from supervisor_easy.fleet.state import FleetState
from supervisor_easy.fleet.supervisors import Supervisors
from supervisor_easy.fleet.watcher import Watcher
from supervisor_easy.inventory import InventoryFile
from supervisor_easy.model import Host
from supervisor_easy.rpc.client import XmlRpcSupervisor
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.rpc.transport import Connections
from supervisor_easy.selector import Catalog
from supervisor_easy.settings import Settings
from supervisor_easy.store import Store
from supervisor_easy.store.accounts import Accounts
from supervisor_easy.store.events import Events
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner, Owners
from supervisor_easy.store.sessions import Sessions
from supervisor_easy.store.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Services:
    """The whole application, wired."""

    settings: Settings
    clock: Clock
    inventory: InventoryFile
    connections: Connections
    supervisors: Supervisors
    state: FleetState
    watcher: Watcher
    store: Store
    owner: Owner
    owners: Owners
    journal: Journal
    writer: JournalWriter
    events: Events
    recorder: EventRecorder
    actions: Actions
    logs: LogFanIn
    accounts: Accounts
    sessions: Sessions
    tokens: Tokens

    def catalog(self) -> Catalog:
        """Return what selectors are resolved against: the fleet as known now."""
        inventory = self.inventory.current
        return Catalog(
            hosts=inventory.hosts,
            groups={name: group.members for name, group in inventory.groups.items()},
            processes=self.state.snapshot().processes(),
        )

    def supervisor(self, host: str) -> Supervisor:
        """Return what talks to a host of the inventory, by name.

        Raises:
            KeyError: there is no such host.
        """
        return self.supervisors(self.inventory.current.hosts[host])


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    make_supervisor: Callable[[Host], Supervisor] | None = None,
) -> Services:
    """Construct the application from its settings.

    `make_supervisor` puts another implementation behind the seam to the hosts, such
    as the shipped fake.

    Raises:
        InventoryError: the inventory is unusable.
        StoreError: the database URL is unusable.
    """
    clock = clock or SystemClock()
    inventory = InventoryFile(settings.inventory)
    connections = Connections(settings)
    make_real = partial(
        XmlRpcSupervisor, connections=connections, settings=settings, clock=clock
    )
    supervisors = Supervisors(make_supervisor or make_real)
    state = _fleet_state(inventory, clock=clock)
    store = _store(settings, clock=clock)
    owner = Owner.this_process(clock)
    journal, owners = Journal(store), Owners(store)
    writer = JournalWriter(
        store, journal, owners=owners, owner=owner, settings=settings, clock=clock
    )
    events = Events(store)
    return Services(
        settings=settings,
        clock=clock,
        inventory=inventory,
        connections=connections,
        supervisors=supervisors,
        state=state,
        watcher=Watcher(state, supervisors, settings=settings, clock=clock),
        store=store,
        owner=owner,
        owners=owners,
        journal=journal,
        writer=writer,
        events=events,
        recorder=EventRecorder(
            state, events, journal=journal, store=store, settings=settings, clock=clock
        ),
        actions=Actions(
            state, supervisors, writer=writer, settings=settings, clock=clock
        ),
        logs=LogFanIn(
            lambda host: supervisors(inventory.current.hosts[host]),
            settings=settings,
            clock=clock,
        ),
        accounts=Accounts(store),
        sessions=Sessions(store),
        tokens=Tokens(store),
    )


def _fleet_state(inventory: InventoryFile, *, clock: Clock) -> FleetState:
    state = FleetState(clock=clock)
    state.set_hosts(inventory.current.hosts.values())
    return state


def _store(settings: Settings, *, clock: Clock) -> Store:
    url = settings.database_url.get_secret_value()
    return Store(url, clock=clock, settings=settings)
