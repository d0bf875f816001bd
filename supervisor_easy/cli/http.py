"""A console's HTTP API, by the standard library: JSON, errors, event streams.

The token is sent to the named console only: redirects are not followed. Every wait
has a deadline, every answer a limit.
"""

import http.client
import json
import re
import ssl
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from supervisor_easy import __version__
from supervisor_easy.cli.exits import ConsoleRefused, ConsoleUnreachable
from supervisor_easy.errors import ConfigError
from supervisor_easy.settings import Settings

Parameters = Mapping[str, str | int | Sequence[str] | None]

#: Longest line of an event stream, in bytes.
_MAX_LINE = 1 << 20
#: What a console says last in a stream, with its reason.
_FAREWELL = ": bye:"
#: What the path of a URL and a token may hold, so that no request goes awry.
_PATH = re.compile(r"[\x21-\x7e]*")
_TOKEN = re.compile(r"[\x21-\x7e]+")


class ConsoleApi:
    """The API of one console."""

    def __init__(self, settings: Settings) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigError: the URL is not one of a console, or there is no token.
        """
        self.url = (settings.server or "").strip().rstrip("/")
        self._parts = _parts_of(self.url)
        self._token = _token_of(settings)
        self._timeout = settings.server_timeout.total_seconds()
        self._silence = settings.server_silence.total_seconds()
        self._max_bytes = settings.max_reply_bytes

    def get(self, path: str, parameters: Parameters | None = None) -> Any:
        """Return the JSON of a GET; repeated once if the connection broke."""
        return self._twice("GET", _with(path, parameters), None, {})

    def post(self, path: str, body: object, *, key: str | None = None) -> Any:
        """Return the JSON of a POST; repeated only under an idempotency key."""
        headers = {"Content-Type": "application/json"}
        data = json.dumps(body).encode()
        if key is None:
            return self._exchange("POST", path, data, headers)
        return self._twice("POST", path, data, headers | {"Idempotency-Key": key})

    def stream(self, path: str, parameters: Parameters) -> Generator[Any, None, None]:
        """Yield the JSON of each event of a stream until it is closed.

        Raises:
            ConsoleUnreachable: the console ended it, or gave no sign of life.
        """
        # A quiet log is no fault; the console sends a sign of life itself.
        connection = self._connect(self._silence)
        try:
            response = self._send(
                connection,
                "GET",
                _with(path, parameters),
                None,
                {"Accept": "text/event-stream"},
            )
            if response.status != 200:
                raise self._refusal(response)
            reason = yield from _events(response)
            raise ConsoleUnreachable(
                f"the console {self.url} ended the stream: {reason}"
            )
        except TimeoutError as exc:
            raise ConsoleUnreachable(
                f"the console {self.url} gave no sign of life for {self._silence:g} s; "
                "the stream has ended"
            ) from exc
        except (OSError, http.client.HTTPException) as exc:
            raise self._unreachable(exc) from exc
        finally:
            connection.close()

    def _twice(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Any:
        with suppress(ConsoleUnreachable):
            return self._exchange(method, path, body, headers)
        return self._exchange(method, path, body, headers)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Any:
        connection = self._connect()
        try:
            response = self._send(connection, method, path, body, headers)
            if not 200 <= response.status < 300:
                raise self._refusal(response)
            raw = response.read(self._max_bytes + 1)
        except (OSError, http.client.HTTPException) as exc:
            raise self._unreachable(exc) from exc
        finally:
            connection.close()
        if len(raw) > self._max_bytes:
            raise ConsoleUnreachable(
                f"the console {self.url} answered more than {self._max_bytes} bytes"
            )
        return self._json(raw)

    def _json(self, raw: bytes) -> Any:
        try:
            return json.loads(raw)
        except ValueError as exc:
            raise ConsoleUnreachable(
                f"what answers at {self.url} is not a console of supervisor-easy"
            ) from exc

    def _connect(self, timeout: float | None = None) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        timeout = timeout or self._timeout
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout)
        return http.client.HTTPSConnection(
            host, port, timeout=timeout, context=ssl.create_default_context()
        )

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        connection.request(
            method,
            f"{self._parts.path}/api/v1/{path}",
            body=body,
            headers={
                "Accept": "application/json",
                **headers,
                "Authorization": f"Bearer {self._token}",
                "User-Agent": f"fleet/{__version__}",
            },
        )
        return connection.getresponse()

    def _refusal(self, response: http.client.HTTPResponse) -> Exception:
        raw = response.read(self._max_bytes)
        error: Any = {}
        with suppress(ValueError, TypeError, KeyError):
            error = json.loads(raw)["error"]
        if not isinstance(error, dict) or "message" not in error:
            return ConsoleRefused(
                f"{self.url} answered {response.status} {response.reason}; "
                "is it the URL of a console?",
                word="",
                status=response.status,
            )
        return ConsoleRefused(
            str(error["message"]),
            word=str(error.get("code", "")),
            status=response.status,
        )

    def _unreachable(self, exc: Exception) -> ConsoleUnreachable:
        reason = str(exc) or type(exc).__name__
        return ConsoleUnreachable(f"the console {self.url} does not answer: {reason}")


def _parts_of(url: str) -> SplitResult:
    """Take a console's URL apart; what is wrong with it is found before it is used.

    Raises:
        ConfigError: it is not one; a password in it is not repeated.
    """
    if "@" in url:
        raise ConfigError("--server holds a password; use FLEET_TOKEN instead")
    wrong = ConfigError(
        f"--server {url!r} is not the URL of a console; "
        "write one such as https://ops.example.com/fleet"
    )
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        is_usable = parts.port != 0
    except ValueError:  # also a UnicodeError
        raise wrong from None
    is_web = parts.scheme in ("http", "https") and parts.hostname
    if not (is_web and is_usable and _PATH.fullmatch(parts.path)):
        raise wrong
    return parts


def _token_of(settings: Settings) -> str:
    """Return the token.

    Raises:
        ConfigError: there is none, or no header can hold it; it is not repeated.
    """
    token = settings.token.get_secret_value().strip() if settings.token else ""
    if not token:
        raise ConfigError(
            "FLEET_TOKEN is not set; an admin makes a token on the console's "
            "machine: fleet token create NAME"
        )
    if not _TOKEN.fullmatch(token):
        raise ConfigError(
            "FLEET_TOKEN is not a token: it holds a blank, a line end, or a character "
            "that is not ASCII"
        )
    return token


def quoted(part: str) -> str:
    """Return one part of a path."""
    return quote(part, safe="")


def _with(path: str, parameters: Parameters | None) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in (parameters or {}).items():
        if isinstance(value, str | int):
            pairs.append((name, str(value)))
        elif value is not None:
            pairs += [(name, each) for each in value]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _events(response: http.client.HTTPResponse) -> Generator[Any, None, str]:
    """Yield the data of each event; return why there are no more of them."""
    data: list[str] = []
    reason = "it gave no reason"
    while line := response.readline(_MAX_LINE):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.startswith("data:"):
            data.append(text.removeprefix("data:").removeprefix(" "))
        elif not text and data:
            yield json.loads("\n".join(data))
            data = []
        elif text.startswith(_FAREWELL):
            reason = text.removeprefix(_FAREWELL).strip()[:100]
    return reason
