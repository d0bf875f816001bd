"""Exit codes: what each error and each outcome means for the shell. Nowhere else."""

from collections.abc import Collection, Mapping
from enum import IntEnum
from typing import Any

from supervisor_easy.errors import FleetError


class ExitCode(IntEnum):
    """What `fleet` says to the shell; a promise to scripts."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NO_PERMISSION = 4
    INTERRUPTED = 130
    #: Whoever read our output has gone (`fleet status | head -1`).
    BROKEN_PIPE = 141


#: By the errors' own words; a word that is not here counts as its parent's.
_BY_WORD: Mapping[str, ExitCode] = {
    "error": ExitCode.FAILED,
    "bad_config": ExitCode.USAGE,
    "bad_inventory": ExitCode.USAGE,
    "bad_selector": ExitCode.USAGE,
    "bad_pattern": ExitCode.USAGE,
    "bad_account": ExitCode.USAGE,
    "not_found": ExitCode.USAGE,
    "bad_request": ExitCode.USAGE,
    "rpc_error": ExitCode.FAILED,
    "store": ExitCode.FAILED,
    "action_refused": ExitCode.REFUSED,
    "stale": ExitCode.REFUSED,
    "access": ExitCode.NO_PERMISSION,
}
#: By the HTTP status of a console's answer.
_BY_STATUS: Mapping[int, ExitCode] = {
    400: ExitCode.USAGE,
    401: ExitCode.NO_PERMISSION,
    403: ExitCode.NO_PERMISSION,
    404: ExitCode.USAGE,
    409: ExitCode.REFUSED,
    413: ExitCode.USAGE,
    415: ExitCode.USAGE,
    422: ExitCode.USAGE,
    429: ExitCode.NO_PERMISSION,
}


class ConsoleRefused(FleetError):
    """A console answered with an error: its word (`code`), and the HTTP status."""

    code = "console"

    def __init__(self, message: str, *, word: str, status: int) -> None:
        """Keep the word that the console gave."""
        self.word = word
        self.status = status
        super().__init__(message)


class ConsoleUnreachable(FleetError):
    """The console that `--server` names does not answer."""

    code = "console_unreachable"


def exit_code_of(error: FleetError) -> ExitCode:
    """Return the exit code that an error means."""
    if isinstance(error, ConsoleRefused):
        return _BY_STATUS.get(error.status, ExitCode.FAILED)
    for each in type(error).__mro__:
        code = _BY_WORD.get(str(each.__dict__.get("code")))
        if code is not None:
            return code
    return ExitCode.FAILED


def exit_code_of_outcomes(
    outcomes: Collection[Mapping[str, Any]], *, has_blind_hosts: bool
) -> ExitCode:
    """Return the exit code of an operation that has ended."""
    bad = [each for each in outcomes if each["outcome"] in ("failed", "unknown")]
    if not bad and not has_blind_hosts:
        return ExitCode.OK
    is_busy = all(each["error"] and each["error"]["code"] == "busy" for each in bad)
    if bad and is_busy and not has_blind_hosts:
        return ExitCode.REFUSED
    return ExitCode.FAILED
