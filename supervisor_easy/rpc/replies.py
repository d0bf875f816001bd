"""Decoded replies into values of the model, and nothing else out of a lying host.

Whatever is missing, of the wrong type or impossible raises `Malformed`, which names
the process and the field.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from supervisor_easy.model import Process, ProcessConfig, ProcessState
from supervisor_easy.rpc.codec import Malformed, Value
from supervisor_easy.rpc.faults import tidy
from supervisor_easy.rpc.supervisor import ConfigDiff, LogTail

#: Longest name, path, command and description taken from a host, in characters.
MAX_NAME = 255
MAX_PATH = 4096
MAX_TEXT = 2000

#: The largest number a time or a pid may be; supervisord itself ends at 2**31 - 1.
_MAX_NUMBER = 2**36

_STATES = {state.value: state for state in ProcessState}


def processes(value: Value, *, host: str, limit: int) -> tuple[Process, ...]:
    """Read the answer of `getAllProcessInfo`.

    Raises:
        Malformed: with the first thing that is wrong.
    """
    items = _list(value, "the processes")
    if len(items) > limit:
        raise Malformed(
            f"it reports {len(items)} processes, more than {limit} "
            "(max_processes_per_host)"
        )
    found = tuple([_process(item, host) for item in items])
    if len({(each.group, each.name) for each in found}) != len(found):
        raise Malformed(f"it reports {_first_twin(found)} twice")
    return found


def _first_twin(found: tuple[Process, ...]) -> str:
    seen: set[str] = set()
    for each in found:
        if each.namespec in seen:
            return each.namespec
        seen.add(each.namespec)
    return "a process"


def _process(value: Value, host: str) -> Process:
    if not isinstance(value, dict):
        raise Malformed("a process is no struct")
    get = value.get
    group, name = get("group"), get("name")
    state, pid = get("state"), get("pid")
    start, stop, now = get("start", 0), get("stop", 0), get("now", 0)
    status = get("exitstatus", 0)
    error, description = get("spawnerr", ""), get("description", "")
    # Two steps for speed: one test when all is well, and a search when it is not.
    # `type(…) is` and not `isinstance`, because a boolean must not pass for an int.
    stdout, stderr = get("stdout_logfile", ""), get("stderr_logfile", "")
    if not (
        type(group) is type(name) is type(error) is type(description) is str
        and type(stdout) is type(stderr) is str
        and type(state) is type(pid) is type(status) is int
        and type(start) is type(stop) is type(now) is int
        and 0 <= pid < _MAX_NUMBER
        and abs(status) < _MAX_NUMBER
        and _is_name(group)
        and _is_name(name)
    ):
        raise Malformed(_what_is_wrong(value))
    return Process(
        host,
        group,
        name,
        _STATES.get(state, ProcessState.UNKNOWN),
        pid,
        _moment(start),
        _moment(stop),
        _moment(now),
        status,
        error[:MAX_TEXT],
        description[:MAX_TEXT],
        stdout[:MAX_PATH],
        stderr[:MAX_PATH],
    )


def _moment(seconds: int) -> int:
    return seconds if 0 <= seconds < _MAX_NUMBER else 0


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME and text.isprintable()


def _what_is_wrong(value: Mapping[str, Value]) -> str:
    """Return a sentence for the first field of a process that cannot be."""
    for key in ("group", "name"):
        text = value.get(key)
        if not isinstance(text, str) or not _is_name(text):
            return f"a process has an unusable {key}: {_show(text)}"
    who = f"{value['group']}:{value['name']}"
    for key in ("state", "pid", "start", "stop", "now", "exitstatus"):
        number = value.get(key, 0 if key not in ("state", "pid") else None)
        if type(number) is not int or (key == "pid" and number < 0):
            return f"{who} has an impossible {key}: {_show(number)}"
        if abs(number) >= _MAX_NUMBER:
            return f"{who} has an impossible {key}: {_show(number)}"
    for key in ("spawnerr", "description", "stdout_logfile", "stderr_logfile"):
        if not isinstance(value.get(key, ""), str):
            return f"{who} has an impossible {key}: {_show(value[key])}"
    return f"{who} makes no sense"


def _show(value: Value) -> str:
    if value is None:
        return "missing"
    if isinstance(value, list | dict):
        return "a struct" if isinstance(value, dict) else "an array"
    return repr(tidy(value)[:80] if isinstance(value, str) else value)


def configs(value: Value, *, host: str, limit: int) -> tuple[ProcessConfig, ...]:
    """Read the answer of `getAllConfigInfo`.

    Raises:
        Malformed: with the first thing that is wrong.
    """
    items = _list(value, "the configuration")
    if len(items) > limit:
        raise Malformed(f"it reports more than {limit} configured processes")
    return tuple([_config(item, host) for item in items])


def _config(value: Value, host: str) -> ProcessConfig:
    if not isinstance(value, dict):
        raise Malformed("the configuration of a process is no struct")
    group, name = value.get("group"), value.get("name")
    if not isinstance(group, str) or not isinstance(name, str):
        raise Malformed("the configuration of a process has no name")
    if not (_is_name(group) and _is_name(name)):
        raise Malformed(f"a configured process has an unusable name: {_show(name)}")
    default = ProcessConfig(host, group, name)
    fields = _Fields(value)
    return ProcessConfig(
        host=host,
        group=group,
        name=name,
        command=fields.text("command", default.command),
        autostart=fields.flag("autostart", is_default=default.autostart),
        startsecs=fields.number("startsecs", default.startsecs),
        startretries=fields.number("startretries", default.startretries),
        stopwaitsecs=fields.number("stopwaitsecs", default.stopwaitsecs),
        stopsignal=fields.number("stopsignal", default.stopsignal),
        exitcodes=fields.numbers("exitcodes", default.exitcodes),
        killasgroup=fields.flag("killasgroup", is_default=default.killasgroup),
        redirect_stderr=fields.flag(
            "redirect_stderr", is_default=default.redirect_stderr
        ),
        stdout_logfile=fields.path("stdout_logfile"),
        stderr_logfile=fields.path("stderr_logfile"),
        stdout_logfile_maxbytes=fields.number("stdout_logfile_maxbytes", 0),
        stderr_logfile_maxbytes=fields.number("stderr_logfile_maxbytes", 0),
        priority=fields.number("process_prio", default.priority),
        is_in_use=fields.flag("inuse", is_default=default.is_in_use),
    )


class _Fields:
    """Reads fields of a configuration; what is not of its type is the default.

    Supervisord itself sends "auto" and "none" for values that XML-RPC cannot say.
    """

    def __init__(self, value: Mapping[str, Value]) -> None:
        self._value = value

    def text(self, key: str, default: str) -> str:
        found = self._value.get(key)
        return found[:MAX_PATH] if isinstance(found, str) else default

    def path(self, key: str) -> str:
        found = self.text(key, "")
        return "" if found == "none" else found

    def number(self, key: str, default: int) -> int:
        found = self._value.get(key)
        if type(found) is int and 0 <= found < _MAX_NUMBER:
            return found
        return default

    def flag(self, key: str, *, is_default: bool) -> bool:
        found = self._value.get(key)
        # Other supervisords say 0 and 1.
        return bool(found) if isinstance(found, bool | int) else is_default

    def numbers(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        found = self._value.get(key)
        if not isinstance(found, list):
            return default
        return tuple(each for each in found[:256] if type(each) is int)


def log_tail(value: Value) -> LogTail:
    """Read the answer of a tail call."""
    match value:
        case [str(text), int(size), bool() | int() as overflow] if size >= 0:
            return LogTail(as_bytes(text), size, bool(overflow))
    raise Malformed("a tail is no array of text, size and overflow")


def log_bytes(value: Value) -> bytes:
    """Read the answer of a read call."""
    if not isinstance(value, str):
        raise Malformed("a log is no text")
    return as_bytes(value)


def as_bytes(text: str) -> bytes:
    """Return the very bytes that a host read from its log."""
    return text.encode("utf-8", "surrogateescape")


def config_diff(value: Value) -> ConfigDiff:
    """Read the answer of `reloadConfig`, which is nested once more than documented."""
    match value:
        case [[list(added), list(changed), list(removed)]]:
            return ConfigDiff(_names(added), _names(changed), _names(removed))
    raise Malformed("the answer of reloadConfig is no array of three lists")


def _names(value: list[Value]) -> tuple[str, ...]:
    if not all(isinstance(each, str) and _is_name(each) for each in value):
        raise Malformed("the answer of reloadConfig has an unusable name")
    return tuple(str(each) for each in value)


def line(value: Value) -> str:
    """Return a short text such as a version; empty where the host has none."""
    return tidy(value)[:MAX_NAME] if isinstance(value, str) else ""


def pid(value: Value) -> int:
    """Return supervisord's pid; 0 where the host does not tell."""
    return value if type(value) is int and 0 < value < _MAX_NUMBER else 0


def clock_skew(
    found: tuple[Process, ...], *, asked_at: datetime, latency: timedelta
) -> timedelta | None:
    """Return the host's clock minus ours at the middle of the exchange.

    Hosts tell whole seconds, cut off; half a second is added, so that the error is
    half a second either way.
    """
    host_now = next((each.host_now for each in found if each.host_now), 0)
    if not host_now:
        return None
    told = datetime.fromtimestamp(0, UTC) + timedelta(seconds=host_now + 0.5)
    return told - (asked_at + latency / 2)


def _list(value: Value, what: str) -> list[Value]:
    if not isinstance(value, list):
        raise Malformed(f"{what}: no array")
    return value
