"""Exit codes: one for each error of the tree, and for every way an action ends."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import supervisor_easy
from supervisor_easy.cli.exits import (
    ConsoleRefused,
    ExitCode,
    exit_code_of,
    exit_code_of_outcomes,
)
from supervisor_easy.errors import FleetError

#: By class name; a new error has to be thought about, so it fails here first.
EXPECTED = {
    "FleetError": 1,
    "ConfigError": 2,
    "InventoryError": 2,
    "SelectorError": 2,
    "EmptySelection": 2,
    "NoneInState": 2,
    "BadPattern": 2,
    "BadRequest": 2,
    "Forbidden": 2,
    "TooLarge": 2,
    "WrongType": 2,
    "HostCallsBusy": 1,
    "NoRoomForStream": 1,
    "NotFound": 2,
    "AccountError": 2,
    "RpcError": 1,
    "HostUnreachable": 1,
    "AuthenticationFailed": 1,
    "BadReply": 1,
    "Fault": 1,
    "UnknownMethod": 1,
    "UnknownProcess": 1,
    "AlreadyStarted": 1,
    "NotRunning": 1,
    "SpawnFailed": 1,
    "StoppedEarly": 1,
    "ShuttingDown": 1,
    "BadConfig": 1,
    "UndecodableLog": 1,
    "StoreError": 1,
    "ConsoleUnreachable": 1,
    "ActionError": 3,
    "TargetBusy": 3,
    "StaleRequest": 3,
    "StaleTargets": 3,
    "AccessError": 4,
    "NotAuthenticated": 4,
    "TooManyAttempts": 4,
    "PermissionDenied": 4,
}


def tree(root: type[FleetError]) -> Iterator[type[FleetError]]:
    yield root
    for each in root.__subclasses__():
        yield from tree(each)


def all_errors() -> dict[str, type[FleetError]]:
    for module in pkgutil.walk_packages(supervisor_easy.__path__, "supervisor_easy."):
        if not module.name.endswith(("__main__", ".launch")):
            importlib.import_module(module.name)
    found = {each.__name__: each for each in tree(FleetError)}
    return {
        name: each
        for name, each in found.items()
        if each.__module__.startswith("supervisor_easy") and name != "ConsoleRefused"
    }


def code_of(kind: type[FleetError]) -> ExitCode:
    # Whatever an error's constructor wants, only its class counts.
    return exit_code_of(kind.__new__(kind))


def test_every_error_has_its_exit_code() -> None:
    codes = {name: int(code_of(kind)) for name, kind in all_errors().items()}

    assert codes == {name: EXPECTED.get(name, "decide!") for name in codes}


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("bad_selector", 400, ExitCode.USAGE),
        ("empty_selection", 404, ExitCode.USAGE),
        ("permission_denied", 403, ExitCode.NO_PERMISSION),
        ("not_authenticated", 401, ExitCode.NO_PERMISSION),
        ("stale", 409, ExitCode.REFUSED),
        ("busy", 409, ExitCode.REFUSED),
        ("busy", 503, ExitCode.FAILED),
        ("store", 503, ExitCode.FAILED),
        ("a word of tomorrow", 403, ExitCode.NO_PERMISSION),
        ("a word of tomorrow", 500, ExitCode.FAILED),
    ],
)
def test_a_consoles_refusal_means_the_same(
    word: str, status: int, code: ExitCode
) -> None:
    assert exit_code_of(ConsoleRefused("no", word=word, status=status)) is code


def outcome(kind: str, code: str = "") -> dict[str, object]:
    return {"outcome": kind, "error": {"code": code} if code else None}


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], ExitCode.OK),
        ([outcome("changed"), outcome("unchanged"), outcome("skipped")], ExitCode.OK),
        ([outcome("changed"), outcome("failed", "spawn_failed")], ExitCode.FAILED),
        ([outcome("unknown", "unreachable")], ExitCode.FAILED),
        ([outcome("changed"), outcome("failed", "busy")], ExitCode.REFUSED),
        (
            [outcome("failed", "busy"), outcome("failed", "spawn_failed")],
            ExitCode.FAILED,
        ),
    ],
)
def test_outcomes_make_the_exit_code(
    outcomes: list[dict[str, object]], code: ExitCode
) -> None:
    assert exit_code_of_outcomes(outcomes, has_blind_hosts=False) is code


def test_a_host_that_does_not_answer_makes_it_a_failure() -> None:
    outcomes = [outcome("failed", "busy")]

    assert exit_code_of_outcomes(outcomes, has_blind_hosts=True) is ExitCode.FAILED
