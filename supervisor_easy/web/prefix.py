"""The console under a path: behind `https://ops.example.com/fleet`."""

from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Prefix:
    """Tells Flask which part of the path is not ours.

    A proxy may pass the whole path or have cut the prefix off; both work.
    """

    def __init__(self, app: Wsgi, prefix: str) -> None:
        """Serve `app` under `prefix`."""
        self._app = app
        self._prefix = "/" + prefix.strip("/")

    def __call__(
        self, environ: Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Move the prefix from the path to where links are made from."""
        path = environ.get("PATH_INFO", "")
        if path == self._prefix or path.startswith(self._prefix + "/"):
            environ["PATH_INFO"] = path[len(self._prefix) :] or "/"
        environ["SCRIPT_NAME"] = self._prefix
        return self._app(environ, start_response)
