"""What may be wrong with a simulated host, and the errors that callers then see."""

import errno
from enum import StrEnum

import aiohttp

from supervisor_easy.errors import RpcError
from supervisor_easy.model import Host
from supervisor_easy.rpc.network import (
    network_error,
    status_error,
    timeout_error,
    unusable_reply,
)


class Trouble(StrEnum):
    """What is wrong with a simulated host."""

    NONE = "none"
    REFUSED = "refused"  # no supervisord there
    HANG = "hang"  # takes the request, does nothing, answers after the deadline
    LOST_REPLY = "lost_reply"  # does what it is told, then the network fails
    AUTH = "auth"  # refuses the password
    GARBAGE = "garbage"  # answers with no XML-RPC


def trouble_error(trouble: Trouble, host: Host, *, is_command: bool) -> RpcError | None:
    """Return the error with which a call fails before anything is done."""
    match trouble:
        case Trouble.REFUSED:
            return network_error(
                ConnectionRefusedError(errno.ECONNREFUSED, ""), host, was_sent=False
            )
        case Trouble.HANG:
            return timeout_error(host, was_sent=True)
        case Trouble.AUTH:
            return status_error(401, None, host)
        case Trouble.GARBAGE:
            return unusable_reply(host, "it is no XML-RPC")
        case Trouble.LOST_REPLY if not is_command:
            return lost_reply(host)
    return None


def lost_reply(host: Host) -> RpcError:
    """Return the error for an answer that got lost after the work was done."""
    return network_error(aiohttp.ServerDisconnectedError(), host, was_sent=True)
