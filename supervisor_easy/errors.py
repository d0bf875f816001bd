"""Every error of supervisor-easy, in one tree.

::

    FleetError
    ├─ ConfigError                    settings unusable
    ├─ InventoryError                 inventory.yaml unusable; carries every problem
    ├─ SelectorError                  bad selector text
    │  └─ EmptySelection              valid, matches nothing
    ├─ RpcError                       talking to one supervisord; carries the host
    │  ├─ HostUnreachable             no name, no route, refused, timed out
    │  ├─ AuthenticationFailed        401 or 403
    │  ├─ BadReply                    not XML-RPC, too large, truncated, 4xx or 5xx
    │  └─ Fault                       supervisord said no; carries code and text
    │     ├─ UnknownMethod (1)   UnknownProcess (10)   AlreadyStarted (60)
    │     ├─ NotRunning (70)     SpawnFailed (20, 21, 50)
    │     └─ StoppedEarly (40)   ShuttingDown (6)      BadConfig (92)
    ├─ ActionError                    a bulk action cannot be done as asked
    │  └─ TargetBusy                  the target is in the hands of another operation
    ├─ AccessError                    who you are
    │  ├─ NotAuthenticated            no or wrong login
    │  ├─ TooManyAttempts             too many failed logins; wait
    │  ├─ AccountError                a user or token cannot be changed as asked
    │  └─ PermissionDenied            your role may not
    ├─ NotFound                       no such thing (also a LookupError)
    ├─ StaleRequest                   the page or plan is out of date
    └─ StoreError                     schema out of date, database unavailable

A message is a lower-case sentence that names the host and the process, then what to
do if we know; the facts are attributes, so nobody parses text. No message ever holds
a password: URLs are shown through `supervisor_easy.model.Host.display_url`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar


class FleetError(Exception):
    """The root: whatever supervisor-easy raises on purpose."""

    #: A stable word for programs (JSON `error.code`).
    code: ClassVar[str] = "error"


class ConfigError(FleetError):
    """A setting is unusable; the message names the setting and what would be right."""

    code = "bad_config"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file, and where; lines and columns count from 1."""

    message: str
    line: int | None = None
    column: int | None = None
    hint: str | None = None

    def to_text(self, file: str) -> str:
        """Return `file:line:column: message (hint)`, the form editors understand."""
        place = ":".join(str(part) for part in (file, self.line, self.column) if part)
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class InventoryError(FleetError):
    """The inventory is unusable; `problems` holds every one of them."""

    code = "bad_inventory"

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        """Keep the file and all its problems; the text is one line for each."""
        self.file = file
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.to_text(file) for problem in problems))


class SelectorError(FleetError):
    """The text is not a selector, or names something that is not there."""

    code = "bad_selector"

    def __init__(self, message: str, *, nearest: Sequence[str] = ()) -> None:
        """Keep the nearest names that do exist, best first."""
        self.nearest = tuple(nearest)
        if nearest:
            message = f"{message}; did you mean {', '.join(nearest)}?"
        super().__init__(message)


class EmptySelection(SelectorError, LookupError):
    """The selector is well formed and matches nothing."""

    code = "empty_selection"


class RpcError(FleetError):
    """Talking to one supervisord failed; `host` is its inventory name."""

    code = "rpc_error"

    def __init__(self, message: str, *, host: str) -> None:
        """Keep the host beside the message."""
        self.host = host
        super().__init__(message)


class HostUnreachable(RpcError):
    """The host did not answer in time, refused, or cannot be found.

    `reason` is one of `name_resolution`, `refused`, `timeout`, `tls`, `no_socket`,
    `closed`, `network`, `unusable` (what the inventory says cannot be sent);
    `maybe_executed` is true where the request had been sent, so that a state-changing
    call may have been carried out.
    """

    code = "unreachable"

    def __init__(
        self, message: str, *, host: str, reason: str, maybe_executed: bool = False
    ) -> None:
        """Keep the reason as a word."""
        self.reason = reason
        self.maybe_executed = maybe_executed
        super().__init__(message, host=host)


class AuthenticationFailed(RpcError):
    """The host refused our user name and password."""

    code = "authentication_failed"


class BadReply(RpcError):
    """The host answered with something that is not a usable XML-RPC reply.

    `status` is the HTTP status where there was one.
    """

    code = "bad_reply"

    def __init__(self, message: str, *, host: str, status: int | None = None) -> None:
        """Keep the HTTP status."""
        self.status = status
        super().__init__(message, host=host)


class Fault(RpcError):
    """Supervisord's own error answer: `fault_code` and `fault_text` as it gave them."""

    code = "fault"

    def __init__(
        self, message: str, *, host: str, fault_code: int, fault_text: str
    ) -> None:
        """Keep the code and the text of the fault."""
        self.fault_code = fault_code
        self.fault_text = fault_text
        super().__init__(message, host=host)


class UnknownMethod(Fault):
    """The host lacks this call: an old supervisord, a variant, or no rpcinterface."""

    code = "unknown_method"


class UnknownProcess(Fault, LookupError):
    """The host has no process of this name (BAD_NAME)."""

    code = "unknown_process"


class AlreadyStarted(Fault):
    """The process runs already."""

    code = "already_started"


class NotRunning(Fault):
    """The process does not run, or is stopping already."""

    code = "not_running"


class SpawnFailed(Fault):
    """The program cannot be spawned: missing, not executable, or fails at once."""

    code = "spawn_failed"


class StoppedEarly(Fault):
    """The process ended sooner than it should have (ABNORMAL_TERMINATION)."""

    code = "stopped_early"


class ShuttingDown(Fault):
    """Supervisord is restarting or shutting down (SHUTDOWN_STATE)."""

    code = "shutting_down"


class BadConfig(Fault):
    """Supervisord cannot read its own configuration (CANT_REREAD)."""

    code = "bad_supervisord_config"


class ActionError(FleetError):
    """A bulk action cannot be done as asked."""

    code = "action_refused"


class TargetBusy(ActionError):
    """The target is in the hands of another operation that has not ended."""

    code = "busy"


class AccessError(FleetError):
    """The caller may not do this."""

    code = "access"


class NotAuthenticated(AccessError):
    """No login, a wrong one, or one that has ended."""

    code = "not_authenticated"


class TooManyAttempts(AccessError):
    """Too many failed logins of this name or address, or too many at this moment."""

    code = "too_many_attempts"

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        """Keep how long to wait before the next try."""
        self.retry_after = retry_after
        super().__init__(message)


class AccountError(AccessError):
    """A user, password or token cannot be made or changed as asked."""

    code = "bad_account"


class PermissionDenied(AccessError):
    """The caller is known and the role does not allow it."""

    code = "permission_denied"


class NotFound(FleetError, LookupError):
    """There is no such thing."""

    code = "not_found"


class StaleRequest(FleetError):
    """What the caller saw is no longer so; look again, then ask again."""

    code = "stale"


class StoreError(FleetError):
    """The database is unavailable, or its schema is not ours."""

    code = "store"
