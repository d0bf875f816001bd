"""Supervisord's faults as errors of ours, each with a sentence that helps.

Texts from a host are shortened and lose their control characters here.
"""

import re

from supervisor_easy.errors import (
    AlreadyStarted,
    BadConfig,
    Fault,
    NotRunning,
    RpcError,
    ShuttingDown,
    SpawnFailed,
    StoppedEarly,
    UnknownMethod,
    UnknownProcess,
)
from supervisor_easy.rpc.codec import FaultItem
from supervisor_easy.rpc.supervisor import UndecodableLog

#: Longest text of a host that an error message repeats, in characters.
MAX_TEXT = 300

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

#: Fault code -> error class and what happened, after `host: ` or `host/process: `.
_FAULTS: dict[int, tuple[type[Fault], str]] = {
    1: (
        UnknownMethod,
        (
            "supervisord does not know {method}; it is older or another kind, or its "
            "configuration lacks [rpcinterface:supervisor]"
        ),
    ),
    2: (Fault, "supervisord says that the parameters of {method} are wrong"),
    3: (Fault, "supervisord says that the arguments of {method} are wrong"),
    6: (ShuttingDown, "supervisord is restarting or shutting down"),
    10: (UnknownProcess, "supervisord has nothing of this name"),
    11: (Fault, "supervisord does not know this signal: {text}"),
    20: (SpawnFailed, "there is no such file: {text}"),
    21: (SpawnFailed, "the program cannot be executed: {text}"),
    30: (Fault, "supervisord failed: {text}"),
    40: (StoppedEarly, "the process ended sooner than it should have"),
    50: (SpawnFailed, "the process ended as soon as it was started; see its log"),
    60: (AlreadyStarted, "the process runs already"),
    70: (NotRunning, "the process does not run, or is stopping already"),
    90: (Fault, "the process group is there already"),
    91: (Fault, "the process group still runs; stop it first"),
    92: (BadConfig, "supervisord cannot read its configuration: {text}"),
}

#: How servers other than supervisord say that they lack a method.
_LACKS_METHOD = re.compile(
    r"can'?t find (service|method)|method not found", re.IGNORECASE
)


def tidy(text: str) -> str:
    """Return a host's text on one line, short, without control characters."""
    text = _CONTROL.sub(" ", text[: 4 * MAX_TEXT])
    text = text.encode("utf-8", "replace").decode().strip()
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def fault_error(
    fault: FaultItem, *, host: str, method: str, process: str = ""
) -> RpcError:
    """Return the error that a fault means; `process` is a namespec or a group."""
    where = f"{host}/{process}" if process else host
    if _is_undecodable(fault):
        return UndecodableLog(
            f"{where}: the bytes asked for are not UTF-8, and supervisord can only "
            "send text",
            host=host,
        )
    code = 1 if _LACKS_METHOD.search(fault.text) else fault.code
    kind, sentence = _FAULTS.get(code, (Fault, "supervisord said no: {text}"))
    sentence = sentence.format(method=method, text=tidy(fault.text) or "(no text)")
    return kind(
        f"{where}: {sentence}",
        host=host,
        fault_code=fault.code,
        fault_text=tidy(fault.text),
    )


def _is_undecodable(fault: FaultItem) -> bool:
    # In a multicall supervisord tells its own exception, which for a log's read is
    # a slip in its error handling: it looks for a fault named "utf-8".
    return fault.code == 30 and (
        "UnicodeDecodeError" in fault.text or "no attribute 'utf-8'" in fault.text
    )
