"""Every setting: its name, unit, default and meaning, validated once.

A setting comes from, in order: an explicit override (a command line option), the
environment (`FLEET_POLL_INTERVAL`), the TOML file that `FLEET_CONFIG` names (its keys
are the lower-case names without `FLEET_`), the default. `docs/settings.md` is made
from the descriptions below, and a test holds it to them.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from supervisor_easy.errors import ConfigError
from supervisor_easy.units import parse_duration, parse_size

PREFIX = "FLEET_"
#: Names that start with FLEET_ and are not settings of the program.
_NOT_SETTINGS = frozenset({"FLEET_CONFIG"})
#: Characters of the shortest key that may sign cookies.
_SHORTEST_KEY = 16


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _size(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


def state_folder() -> Path:
    """Return where this user's console keeps its database and secret key."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "supervisor-easy"


def _find_inventory() -> Path:
    candidates = (Path("inventory.yaml"), Path("/etc/supervisor-easy/inventory.yaml"))
    return next((path for path in candidates if path.is_file()), candidates[0])


def _default_database_url() -> str:
    return f"sqlite:///{state_folder() / 'fleet.db'}"


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


class Settings(BaseModel):
    """The validated settings of one run of the program."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # -- what and where
    inventory: Path = Field(
        default_factory=_find_inventory,
        description="The inventory file. Default: `./inventory.yaml`, then "
        "`/etc/supervisor-easy/inventory.yaml`.",
    )
    database_url: SecretStr = Field(
        default_factory=lambda: SecretStr(_default_database_url()),
        description="SQLAlchemy URL of the database. Default: SQLite under the "
        "user's state folder.",
    )
    server: str | None = Field(
        None, description="URL of a console to act through, for the CLI."
    )
    token: SecretStr | None = Field(
        None, description="Token for the console that `FLEET_SERVER` names."
    )
    server_timeout: Duration = Field(
        _seconds(30),
        description="How long the CLI waits for an answer of that console.",
    )
    server_silence: Duration = Field(
        _seconds(60),
        description="How long the CLI reads a stream of that console without a sign "
        "of life, which it gives every 15 seconds.",
    )

    # -- the console
    bind: str = Field(
        "127.0.0.1:8080",
        description="`ADDRESS:PORT` or `unix:/path` the console listens on.",
    )
    url_prefix: str = Field(
        "", description="Path the console stands under behind a proxy, e.g. `/fleet`."
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Key that signs cookies, 16 characters or more. Default: made "
        "once, kept with mode 0600 beside the SQLite database or in the state folder.",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        description="How many proxies in front of the console set `X-Forwarded-…` "
        "headers that may be believed.",
    )
    web_threads: Count = Field(
        16, description="Threads that answer web requests; streams hold none."
    )
    session_lifetime: Duration = Field(
        timedelta(hours=12), description="How long a login lasts."
    )
    login_attempts: Count = Field(
        10, description="Failed logins for one user name or address per 15 minutes."
    )
    max_streams: Count = Field(
        2000, description="Open event streams; more are refused with 503."
    )
    stream_buffer: Count = Field(
        256, description="Messages kept for a slow viewer before it must resync."
    )
    max_request_bytes: Size = Field(
        1 << 20, description="Largest body of a request to the console, in bytes."
    )
    allowed_hosts: str = Field(
        "",
        description="Names, with commas between, under which browsers may reach the "
        "console. Default: loopback names when it listens on loopback, else any.",
    )
    client_timeout: Duration = Field(
        _seconds(30),
        description="How long a client of the console may take to send a request or "
        "to take an answer.",
    )
    host_wait: Duration = Field(
        _seconds(20),
        description="How long a request to the console waits for what only hosts can "
        "tell, such as a log.",
    )
    stream_logs: Count = Field(
        200, description="Most logs that one request or stream reads."
    )
    table_rows: Count = Field(
        500, description="Most processes one page shows; more ask for a selector."
    )

    # -- the live fleet
    poll_interval: Duration = Field(
        _seconds(5), description="How often each host is asked for its state."
    )
    poll_backoff_max: Duration = Field(
        _seconds(60), description="Longest pause between tries of an unreachable host."
    )
    poll_concurrency: Count = Field(
        512,
        description="Hosts that begin to be asked at the same moment; one that takes "
        "longer than half a second lets the next begin.",
    )
    poll_suspect_concurrency: Count = Field(
        128, description="Hosts asked at the same moment that failed last time."
    )
    inventory_check_interval: Duration = Field(
        _seconds(2), description="How often the inventory file is looked at for edits."
    )
    max_reply_bytes: Size = Field(
        16 << 20, description="Largest reply taken from a host, in bytes."
    )
    parse_thread_bytes: Size = Field(
        128 << 10,
        description="Replies above this size, in bytes, are parsed in a thread, so "
        "that one large host holds nobody up.",
    )
    dns_threads: Count = Field(
        16, description="Threads that resolve the names of hosts."
    )
    max_processes_per_host: Count = Field(
        10_000, description="Most processes one host may report."
    )

    # -- bulk actions
    action_concurrency: Count = Field(
        256, description="Hosts acted on at the same moment."
    )
    action_margin: Duration = Field(
        _seconds(5),
        description="Added to a process's own `stopwaitsecs` or `startsecs` before "
        "an action gives up on it.",
    )
    action_batch: Count = Field(
        50, description="Commands sent to one host in one round trip."
    )
    action_poll_min: Duration = Field(
        timedelta(milliseconds=50), description="First pause between looks at a host."
    )
    action_poll_max: Duration = Field(
        timedelta(milliseconds=500), description="Longest pause between such looks."
    )
    action_tail_bytes: Size = Field(
        2048, description="Log kept from before a restart and of a failed start."
    )
    rescue_window: Duration = Field(
        timedelta(hours=24),
        description="How long a restart waits for a host that went away after the "
        "stop, to start the process again when the host is back.",
    )
    confirm_above: Count = Field(
        10, description="Targets above which an action asks before it acts."
    )
    lease_ttl: Duration = Field(
        _seconds(20),
        description="After how long without a sign of life a console of another "
        "machine, or one that is suspended, counts as dead and its unfinished actions "
        "are taken over; of this machine, as soon as its process has ended.",
    )

    # -- logs
    log_chunk_bytes: Size = Field(
        64 << 10, description="Most bytes of a log read in one call."
    )
    log_poll_min: Duration = Field(
        timedelta(milliseconds=200), description="Shortest pause between log reads."
    )
    log_poll_max: Duration = Field(
        _seconds(2), description="Longest pause between reads of a quiet log."
    )
    log_line_bytes: Size = Field(
        64 << 10, description="Longest log line kept whole; longer ones are split."
    )
    log_backlog_bytes: Size = Field(
        1 << 20, description="Most bytes read back from a log's end for `-n LINES`."
    )
    log_buffer_lines: Count = Field(
        10_000, description="Lines kept between the readers and whoever shows them."
    )
    log_anchor_bytes: Size = Field(
        256,
        description="Bytes before the place in a log that each read repeats, to "
        "notice that the file was replaced by another.",
    )
    log_poll_rotation: Duration = Field(
        timedelta(milliseconds=20),
        description="Shortest pause between reads of a log that is about to rotate.",
    )
    log_retry_max: Duration = Field(
        _seconds(10),
        description="Longest pause between tries of a log that cannot be read.",
    )
    log_partial_after: Duration = Field(
        _seconds(1),
        description="How long an unfinished last line waits for its end.",
    )
    log_repair_calls: Count = Field(
        256,
        description="Reads that may fail per `FLEET_LOG_REPAIR_INTERVAL` to find the "
        "bytes of a log that are not UTF-8; what they do not find is skipped, with a "
        "marker.",
    )
    log_repair_interval: Duration = Field(
        _seconds(60), description="Time in which those reads are granted again."
    )
    log_host_concurrency: Count = Field(
        4, description="Reads of logs under way on one host at the same moment."
    )
    log_host_rate: Count = Field(
        100, description="Most reads of logs on one host a second, all logs together."
    )
    log_grep_chars: Count = Field(
        4096, description="Characters of a line that `--grep` looks at."
    )
    log_grep_limit: Duration = Field(
        timedelta(milliseconds=250),
        description="Time one line may cost a `--grep` before it is switched off.",
    )
    log_close_timeout: Duration = Field(
        _seconds(5), description="How long closing a followed stream waits for readers."
    )

    # -- history
    event_retention: Duration = Field(
        timedelta(days=30), description="How long events and actions are kept."
    )
    event_rows: Count = Field(
        1_000_000, description="Most events kept; the oldest go first."
    )
    event_buffer: Count = Field(
        20_000, description="Events waiting to be written; more are dropped, counted."
    )

    # -- the database
    store_timeout: Duration = Field(
        _seconds(10),
        description="How long a call waits for a connection to the database or for "
        "another writer before it fails; also how long closing waits for the last "
        "write. One statement on PostgreSQL may take twice that, or two and a half "
        "times where the server does not answer at all, and a write of the engine "
        "three times, with its wait for those before it.",
    )
    store_queue: Count = Field(
        1000, description="Writes waiting for the database; more are refused."
    )
    password_hashes: Count = Field(
        4, description="Passwords checked at the same moment; each takes 19 MiB."
    )

    @field_validator("secret_key")
    @classmethod
    def _is_long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value().strip()) < _SHORTEST_KEY:
            raise ValueError(f"write {_SHORTEST_KEY} characters or more, at random")
        return key


def load_settings(
    overrides: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Build the settings from overrides, environment, file and defaults.

    An override of None means "not given".

    Raises:
        ConfigError: a value is unusable; the message names each setting.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, object] = _read_file(environ.get("FLEET_CONFIG"))
    values |= {
        name: environ[_variable(name)]
        for name in Settings.model_fields
        if environ.get(_variable(name))
    }
    values |= {k: v for k, v in (overrides or {}).items() if v is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as exc:
        problems = "; ".join(_explain(error) for error in exc.errors())
        raise ConfigError(f"bad setting: {problems}") from None


def misspelt(environ: Mapping[str, str] | None = None) -> list[str]:
    """Return a warning for each `FLEET_…` variable that is no setting."""
    environ = os.environ if environ is None else environ
    known = {_variable(name) for name in Settings.model_fields} | _NOT_SETTINGS
    # Variables that an inventory refers to ({env: FLEET_SUPERVISOR_PASSWORD}) are
    # free to have any name, so only near misses are worth a word.
    warnings = []
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            if near:
                warnings.append(f"{name} is not a setting; did you mean {near[0]}?")
    return warnings


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _read_file(path: str | None) -> dict[str, object]:
    if not path:
        return {}
    try:
        return dict(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"cannot read the settings file {path}: {exc}") from exc


def _explain(error: Mapping[str, object]) -> str:
    location = error["loc"]
    name = str(location[0]) if isinstance(location, tuple) and location else "?"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, Settings.model_fields, n=1)
        return f"{name} is not a setting" + (
            f", did you mean {near[0]}" if near else ""
        )
    return f"{_variable(name)}: {error['msg']}"
