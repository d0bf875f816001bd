"""Reads `[supervisorctl]` of a supervisord or supervisorctl configuration."""

import configparser
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from supervisor_easy.errors import InventoryError, Problem
from supervisor_easy.inventory.hosts import is_url
from supervisor_easy.inventory.importers.draft import (
    Draft,
    DraftHost,
    EnvRef,
    Imported,
    read_text,
)

_ENVIRONMENT = re.compile(r"%\(ENV_(\w+)\)s")
_LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1"})


def import_supervisorctl(path: Path | str, *, keep_passwords: bool = False) -> Imported:
    """Return the one host that a supervisorctl configuration talks to.

    Raises:
        InventoryError: it is no such file.
    """
    path, text = read_text(path)
    parser = configparser.RawConfigParser(
        inline_comment_prefixes=(";", " #"), strict=False
    )
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        line = getattr(exc, "lineno", None)
        problem = Problem("this is not a supervisor configuration", line)
        raise InventoryError(str(path), [problem]) from exc
    if not parser.has_section("supervisorctl"):
        problem = Problem("there is no section [supervisorctl]")
        raise InventoryError(str(path), [problem])
    values = dict(parser.items("supervisorctl"))
    draft = Draft(path, keep_passwords)
    host = _host(values, draft)
    draft.hosts[host.name] = host
    return draft.finish()


def _host(values: dict[str, str], draft: Draft) -> DraftHost:
    url = values.get("serverurl", "http://localhost:9001").strip()
    url = url.replace("%(here)s", str(draft.source.resolve().parent))
    if _ENVIRONMENT.search(url):
        problem = Problem("serverurl takes a variable; write the address out first")
        raise InventoryError(str(draft.source), [problem])
    try:
        parts = urlsplit(url)
        hostname = parts.hostname or ""
    except ValueError as exc:
        problem = Problem("serverurl is not a URL")
        raise InventoryError(str(draft.source), [problem]) from exc
    username = values.get("username", "").strip() or unquote(parts.username or "")
    password = values.get("password", "").strip() or unquote(parts.password or "")
    name = "local" if hostname in _LOCAL else draft.name_for(hostname, ())
    if hostname in _LOCAL:
        draft.notes.append("the host of this machine is called local")
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.scheme == "unix":
        bare = f"unix://{parts.path}"
    if not is_url(bare):
        problem = Problem("serverurl is not a usable URL")
        raise InventoryError(str(draft.source), [problem])
    return DraftHost(
        name,
        url=bare,
        username=username or None,
        password=_secret(password),
    )


def _secret(text: str) -> str | EnvRef | None:
    match = _ENVIRONMENT.fullmatch(text)
    return EnvRef(match[1]) if match else text or None
