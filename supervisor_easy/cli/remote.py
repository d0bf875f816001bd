"""The backend that acts through a console, under its roles, by its API alone."""

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from supervisor_easy.cli.backend import (
    BlindHost,
    EventQuery,
    Found,
    Json,
    LogQuery,
    LogStream,
    Order,
    Plan,
    Query,
)
from supervisor_easy.cli.choosing import hosts_named
from supervisor_easy.cli.http import ConsoleApi, quoted
from supervisor_easy.errors import ConfigError
from supervisor_easy.model import Host, ProcessConfig
from supervisor_easy.settings import Settings

#: How often a live table asks the console.
ASK_EVERY = timedelta(seconds=2)
#: Bytes asked of supervisord's own log for each line, and at most.
_GUESSED_LINE = 200
_MOST_MAIN_BYTES = 1 << 20


class RemoteBackend:
    """One console, reached with a token."""

    def __init__(self, settings: Settings) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigError: the URL or the token is unusable.
        """
        self._settings = settings
        self._api = ConsoleApi(settings)

    @property
    def name(self) -> str:
        """Who goes on with what we leave."""
        return f"the console {self._api.url}"

    @property
    def confirm_above(self) -> int:
        """Targets above which a person is asked."""
        return self._settings.confirm_above

    # -- looking

    def processes(self, query: Query) -> Found:
        """Return what the console knows of the processes selected."""
        answer = self._api.get("processes", _selection(query))
        return Found(answer["processes"], self._blind(answer["blind_hosts"]))

    def watch(self, query: Query) -> Iterator[Found]:
        """Ask the console again and again."""
        pause = threading.Event()
        while True:
            yield self.processes(query)
            pause.wait(ASK_EVERY.total_seconds())

    def hosts(self) -> list[Json]:
        """Return every host."""
        return _items(self._api.get("hosts"), "hosts")

    def groups(self) -> list[Json]:
        """Return every group with its counts."""
        return _items(self._api.get("groups"), "groups")

    def configs(self) -> Mapping[str, Sequence[ProcessConfig]] | None:
        """Return nothing: a console does not tell."""
        return None

    def inventory_warnings(self) -> list[str]:
        """Return nothing: the console shows them itself."""
        return []

    # -- acting

    def plan(self, action: str, query: Query, *, signal: str = "") -> Plan:
        """Have the console say what an action would do."""
        body = {
            "action": action,
            **_body(query),
            "signal": signal,
            "dry_run": True,
        }
        answer = self._api.post("actions", body)
        return Plan(answer["targets"], self._blind(answer["blind_hosts"]))

    def plan_update(self, hosts: Sequence[str]) -> list[Json]:
        """Have the console ask hosts what an update would change."""
        names = self._hosts_named(hosts)
        answer = self._api.post("updates/preview", {"hosts": names})
        return _items(answer, "hosts")

    def act(self, order: Order) -> Json:
        """Have the console begin an operation."""
        body = {
            "action": order.action,
            "targets": list(order.targets),
            "signal": order.signal,
            "reason": order.reason,
            "expected": dict(order.expected) or None,
            "dry_run": False,
        }
        found: Json = self._api.post("actions", body, key=order.key)
        return {"waiting": {}, **found}

    def operation(self, operation_id: str) -> Json:
        """Return an operation as it stands."""
        found: Json = self._api.get(f"actions/{quoted(operation_id)}")
        return {"waiting": {}, **found}

    def cancel(self, operation_id: str) -> None:
        """Have the console begin nothing more of an operation."""
        self._api.post(f"actions/{quoted(operation_id)}/cancel", {})

    # -- logs and history

    def logs(self, logs: LogQuery) -> LogStream:
        """Return log entries; the console reads the hosts."""
        if logs.since_start or (logs.is_followed and logs.main_hosts is not None):
            word = "--since-start" if logs.since_start else "--main --follow"
            raise ConfigError(f"{word} does not work through a console")
        if logs.main_hosts is not None:
            names = self._hosts_named(logs.main_hosts)
            return LogStream(self._main_logs(names, lines=logs.lines))
        found = self.processes(logs.query)
        parameters = {
            **_selection(logs.query),
            "lines": logs.lines,
            "stream": logs.stream,
            "grep": logs.grep,
        }
        labels = [f"{p['host']}/{p['group']}:{p['name']}" for p in found.processes]
        if logs.is_followed:
            entries = self._api.stream("logs/stream", parameters)
        else:
            entries = _each(_items(self._api.get("logs", parameters), "entries"))
        return LogStream(entries, labels, found.blind_hosts)

    def events(self, events: EventQuery) -> list[Json]:
        """Return events, oldest first."""
        answer = self._api.get(
            "events",
            {
                **_selection(events.query),
                "since": events.since.isoformat() if events.since else None,
                "kind": events.kinds,
                "limit": events.limit,
                "after_id": events.after_id,
            },
        )
        return sorted(_items(answer, "events"), key=lambda each: int(each["id"]))

    # -- inside

    def _blind(self, hosts: Sequence[Any]) -> list[BlindHost]:
        """Read blind hosts; where only names are told, ask for the reasons."""
        if all(isinstance(each, dict) for each in hosts):
            return [BlindHost(each["host"], _message(each["error"])) for each in hosts]
        reasons = {each["name"]: each["error"] for each in self.hosts()}
        return [BlindHost(str(each), _message(reasons.get(each))) for each in hosts]

    def _hosts_named(self, names: Sequence[str]) -> list[str]:
        """Choose here, among the hosts the console has, by the rules of this machine.

        So a host without a process is one too, and nothing is left to a console that
        may read a mistake otherwise.
        """
        Query(hosts=tuple(names)).refuse_blanks()
        known = {
            each["name"]: Host(each["name"], "", each["labels"])
            for each in self.hosts()
        }
        return hosts_named(names, known)

    def _main_logs(
        self, hosts: Sequence[str], *, lines: int
    ) -> Generator[Json, None, None]:
        for host in hosts:
            size = min(max(1, lines) * _GUESSED_LINE, _MOST_MAIN_BYTES)
            answer = self._api.get("logs/main", {"host": host, "bytes": size})
            # The first line may lack its beginning.
            found = str(answer["text"]).splitlines()[1:]
            for line in found[-lines:] if lines else []:
                yield {
                    "host": host,
                    "process": "supervisord",
                    "stream": "stdout",
                    "kind": "line",
                    "text": line,
                    "seen_at": None,
                    "offset": 0,
                }


def _selection(query: Query) -> dict[str, Sequence[str]]:
    query.refuse_blanks()
    return {
        "selector": query.selectors,
        "group": query.groups,
        "host": query.hosts,
        "label": query.labels,
        "state": query.states,
    }


def _body(query: Query) -> Json:
    query.refuse_blanks()
    return {
        "selectors": list(query.selectors),
        "groups": list(query.groups),
        "hosts": list(query.hosts),
        "labels": list(query.labels),
        "states": list(query.states),
    }


def _items(answer: Any, key: str) -> list[Json]:
    """Return the list an answer is, or holds under `key`."""
    found = answer[key] if isinstance(answer, dict) else answer
    return list(found)


def _each(items: Sequence[Json]) -> Generator[Json, None, None]:
    yield from items


def _message(error: Any) -> str:
    if isinstance(error, dict):
        return str(error.get("message", ""))
    return str(error or "it does not answer")
