"""The key that signs cookies: from the settings, or made once and kept private."""

import contextlib
import os
import secrets
from pathlib import Path

from supervisor_easy.errors import ConfigError
from supervisor_easy.settings import Settings, state_folder

_FILE = "secret-key"
_SQLITE = "sqlite:///"


def secret_key(settings: Settings) -> str:
    """Return the key; made at the first call, in a file of mode 0600.

    Raises:
        ConfigError: the file cannot be made or read.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = _folder(settings) / _FILE
    try:
        return _read(path) or _make(path)
    except OSError as exc:
        raise ConfigError(
            f"cannot keep the secret key in {path}: {exc.strerror}; "
            "set FLEET_SECRET_KEY, or make the folder writable"
        ) from exc


def _folder(settings: Settings) -> Path:
    url = settings.database_url.get_secret_value()
    path = url.removeprefix(_SQLITE).partition("?")[0]
    if url.startswith(_SQLITE) and path and path != ":memory:":
        return Path(path).parent
    return state_folder()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _make(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and linked: two consoles that start together keep one key.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    return _read(path)
