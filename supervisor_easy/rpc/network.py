"""What goes wrong between us and a host, told apart and put into words.

No message here repeats what aiohttp says about a request: that may hold headers.
"""

import errno
import os
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp

from supervisor_easy.errors import (
    AuthenticationFailed,
    BadReply,
    HostUnreachable,
    RpcError,
)
from supervisor_easy.model import Host
from supervisor_easy.rpc.faults import tidy
from supervisor_easy.units import format_duration

_STATUS_HINTS: Mapping[int, str] = {
    400: "the path of the url is wrong, or what answers there is no supervisord; "
    "supervisord itself answers at /RPC2",
    404: "the path of the url is wrong, or a proxy stands there; "
    "supervisord itself answers at /RPC2",
    405: "what answers there is no supervisord",
    500: "supervisord failed while it answered; its own log tells why",
    502: "the proxy cannot reach supervisord",
    503: "the proxy cannot reach supervisord",
    504: "the proxy got no answer from supervisord in time",
}

_ERRNO: Mapping[int | None, tuple[str, str]] = {
    errno.ENOENT: ("no_socket", "is not there: no such socket file"),
    errno.ENOTSOCK: ("no_socket", "is not there: the file is no socket"),
    errno.ECONNREFUSED: (
        "refused",
        "refused the connection; does supervisord run there?",
    ),
    errno.EACCES: ("refused", "may not be used by this user: permission denied"),
}


def network_error(
    exc: BaseException, host: Host, *, was_sent: bool
) -> HostUnreachable | BadReply:
    """Return the error that an exception of the HTTP client means for `host`.

    `was_sent` says that the request had left, so that it may have been carried out.
    """
    if isinstance(exc, aiohttp.ClientPayloadError):
        return BadReply(
            f"{host.name}: {host.display_url} broke off in the middle of its reply",
            host=host.name,
        )
    if isinstance(exc, aiohttp.ClientResponseError):
        return BadReply(
            f"{host.name}: {host.display_url} answered with something that is no HTTP",
            host=host.name,
        )
    reason, words = _reason(exc, host, was_sent=was_sent)
    return HostUnreachable(
        f"{host.name}: {host.display_url} {words}",
        host=host.name,
        reason=reason,
        maybe_executed=was_sent,
    )


def timeout_error(host: Host, *, was_sent: bool) -> HostUnreachable:
    """Return the error for a host that did not answer within its `request_timeout`."""
    _, words = _timed_out(host, was_sent=was_sent)
    return HostUnreachable(
        f"{host.name}: {host.display_url} {words}",
        host=host.name,
        reason="timeout",
        maybe_executed=was_sent,
    )


def unusable_reply(host: Host, why: str) -> BadReply:
    """Return the error for a reply that is no XML-RPC, or lies."""
    return BadReply(
        f"{host.name}: the reply of {host.display_url} is unusable: {tidy(why)}",
        host=host.name,
        status=200,
    )


def unsendable(
    exc: ValueError, host: Host, *, was_sent: bool
) -> HostUnreachable | BadReply:
    """Return the error for what cannot be asked, or what no client can read.

    It names no URL, which may be what cannot be read.
    """
    kind = type(exc).__name__
    if was_sent:
        return BadReply(
            f"{host.name}: its reply cannot be read ({kind})", host=host.name
        )
    return HostUnreachable(
        f"{host.name}: not asked, because its url, its user name, its password or the "
        f"name of one of its files cannot be used ({kind}); correct the inventory",
        host=host.name,
        reason="unusable",
    )


def status_error(status: int, location: str | None, host: Host) -> RpcError:
    """Return the error for an HTTP status other than 200."""
    if status in (401, 403):
        given = "the user name and password" if host.username else "no user name"
        return AuthenticationFailed(
            f"{host.name}: {host.display_url} refused {given} (HTTP {status})",
            host=host.name,
        )
    if 300 <= status < 400:
        return BadReply(
            f"{host.name}: {host.display_url} wants to send us to "
            f"{_without_secrets(location)} (HTTP {status}); redirects are not "
            "followed, put the right url into the inventory",
            host=host.name,
            status=status,
        )
    hint = _STATUS_HINTS.get(status)
    return BadReply(
        f"{host.name}: {host.display_url} answered HTTP {status}"
        + (f"; {hint}" if hint else ""),
        host=host.name,
        status=status,
    )


def _without_secrets(location: str | None) -> str:
    if not location:
        return "nowhere"
    try:
        parts = urlsplit(location)
    except ValueError:
        return "an unreadable url"
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
    return tidy(bare.geturl())


def _reason(exc: BaseException, host: Host, *, was_sent: bool) -> tuple[str, str]:
    """Return the word of `HostUnreachable.reason`, and words for people."""
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return "name_resolution", "cannot be found: its name does not resolve"
    if _is_tls(exc):
        return "tls", f"failed the TLS handshake: {_tls_words(exc)}"
    if isinstance(exc, TimeoutError):
        return _timed_out(host, was_sent=was_sent)
    number = exc.errno if isinstance(exc, OSError) else None
    if number in _ERRNO and not was_sent:
        return _ERRNO[number]
    if was_sent or isinstance(exc, aiohttp.ServerDisconnectedError | ConnectionError):
        return "closed", f"closed the connection without an answer{_tls_hint(host)}"
    detail = os.strerror(number) if number and number > 0 else type(exc).__name__
    return "network", f"cannot be reached: {detail.lower()}"


def _tls_hint(host: Host) -> str:
    # With TLS 1.3 a server refuses us only after the handshake, and mostly its
    # reason is lost on the way.
    if host.url.startswith("https:") and not host.client_cert:
        return "; does it want a client certificate?"
    return ""


def _timed_out(host: Host, *, was_sent: bool) -> tuple[str, str]:
    if was_sent:
        span = format_duration(host.request_timeout)
        return "timeout", f"took the request and did not finish its answer in {span}"
    span = format_duration(host.connect_timeout)
    hint = "; does it speak TLS?" if host.url.startswith("https:") else ""
    return "timeout", f"could not be connected to in {span}{hint}"


def _causes(exc: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = exc
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or getattr(current, "os_error", None)
    return chain


def _is_tls(exc: BaseException) -> bool:
    return any(
        isinstance(
            each,
            ssl.SSLError
            | ssl.CertificateError
            | aiohttp.ClientConnectorCertificateError
            | aiohttp.ServerFingerprintMismatch,
        )
        for each in _causes(exc)
    )


def _tls_words(exc: BaseException) -> str:
    for each in _causes(exc):
        inner = getattr(each, "certificate_error", each)
        if isinstance(inner, ssl.SSLCertVerificationError):
            why = getattr(inner, "verify_message", "")
            return tidy(f"its certificate is not trusted: {why}")
        # OpenSSL fills this in, and Python's own TLS errors lack it.
        reason = getattr(inner, "reason", None)
        if isinstance(inner, ssl.SSLError) and reason:
            return tidy(reason.lower().replace("_", " "))
    return "no common protocol"
