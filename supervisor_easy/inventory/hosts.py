"""From the `hosts` of the file to `Host` values: ranges, addresses, secrets."""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from supervisor_easy.inventory import secrets
from supervisor_easy.inventory.ranges import RangeError, expand, has_range
from supervisor_easy.inventory.report import Report
from supervisor_easy.inventory.schema import Connection, HostModel
from supervisor_easy.inventory.secrets import Resolved, SecretRef
from supervisor_easy.inventory.yamlnodes import Path as Place
from supervisor_easy.model import Host

#: Most hosts of one inventory.
MAX_HOSTS = 20_000
#: Longest name of a host or group, in characters.
MAX_NAME = 255
#: Longest name that is looked up, and longest part of one between its dots, as it is
#: sent (RFC 1035).
MAX_LOOKED_UP, MAX_LABEL = 253, 63
#: Longest path of a unix socket, in bytes, without the NUL that ends it (unix(7)).
MAX_SOCKET = 107

_NAME = re.compile(r"\w[\w.-]*")
_ADDRESS = re.compile(r"[\w]([\w.-]*[\w])?\.?")
_PATH = re.compile(r"(/[^\s?#]*)?")
_FILES = ("ca_file", "client_cert", "client_key")
#: What is wrong with a text, and what to write instead; None if nothing is.
Complain = Callable[[str], tuple[str, str] | None]

_INSTEAD_OF_URL = ("address", "scheme", "port", "path")


def is_name(text: str) -> bool:
    """Whether a host or group may be called so.

    Letters of any script, digits, `_`, `.` and `-`: what no selector takes for a sign.
    """
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Whether the text may stand at `address`."""
    return _bad_address(text) is None


def is_url(text: str) -> bool:
    """Whether the text may stand at `url`."""
    return _bad_url(text) is None


def host_names(keys: Sequence[str]) -> set[str]:
    """Return every host name of the keys that can be expanded."""
    names: set[str] = set()
    for key in keys:
        try:
            names.update(expand(key))
        except RangeError:
            continue
    return names


@dataclass(slots=True)
class HostBuilder:
    """Builds the hosts of one file; what is wrong goes to the report."""

    report: Report
    defaults: Connection
    folder: Path
    environ: Mapping[str, str]
    hosts: dict[str, Host] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _urls: dict[str, str] = field(default_factory=dict)
    _secrets: dict[Place, str | None] = field(default_factory=dict)
    _files: dict[Place, str] = field(default_factory=dict)

    def add(self, key: str, model: HostModel) -> None:
        """Add the hosts that one key of `hosts` stands for."""
        names = self._names(key)
        urls = self._all_urls(key, model, names) if names else []
        if not urls:
            return
        shared = self._shared(key, model)
        for name, url in zip(names, urls, strict=True):
            self._add_one(key, Host(name=name, url=url, **shared))

    def _add_one(self, key: str, host: Host) -> None:
        place = ("hosts", key)
        if host.name in self._keys:
            line = self.report.line_of(("hosts", self._keys[host.name]))
            self.report.problem(
                place,
                f"the host {host.name} is already defined on line {line}",
                hint="give one of them another name or range",
                at_key=True,
            )
            return
        other = self._urls.setdefault(host.url, host.name)
        if other != host.name:
            self.report.warn(
                place,
                f"{host.name} and {other} both lead to {host.display_url}",
                at_key=True,
            )
        self._keys[host.name] = key
        self.hosts[host.name] = host

    def _names(self, key: str) -> list[str]:
        place = ("hosts", key)
        names = self._expanded(place, key, at_key=True)
        bad = next((name for name in names if not is_name(name)), None)
        if bad is not None:
            self.report.problem(
                place,
                f"{bad!r} is not a host name",
                hint="use letters, digits, _ . - and put anything else into address",
                at_key=True,
            )
            return []
        if len(self.hosts) + len(names) > MAX_HOSTS:
            self.report.problem(
                place, f"more than {MAX_HOSTS} hosts are not taken", at_key=True
            )
            return []
        return names

    def _expanded(self, place: Place, text: str, *, at_key: bool = False) -> list[str]:
        try:
            return expand(text)
        except RangeError as exc:
            self.report.problem(place, str(exc), at_key=at_key)
            return []

    def _all_urls(self, key: str, model: HostModel, names: list[str]) -> list[str]:
        place: Place = ("hosts", key)
        if model.url is not None:
            given = [each for each in _INSTEAD_OF_URL if each in model.model_fields_set]
            if given:
                self.report.problem(
                    (*place, given[0]),
                    f"url and {given[0]} are both given",
                    hint="a url says everything; keep one of them",
                    at_key=True,
                )
            texts = self._in_step((*place, "url"), model.url, names)
            return self._checked((*place, "url"), texts, _bad_url, _clean_url)
        if model.address is None:
            addresses = self._checked(place, names, _bad_name, str, at_key=True)
        else:
            where = (*place, "address")
            texts = self._in_step(where, model.address, names)
            addresses = self._checked(where, texts, _bad_address, _bracketed)
        path = self._of(model, "path").rstrip("/")
        if not _PATH.fullmatch(path):
            self.report.problem(
                self._source(key, model, "path"),
                f"{path!r} is not a path; it begins with / and has no space, ? or #",
            )
        scheme, port = self._of(model, "scheme"), self._of(model, "port")
        return [f"{scheme}://{each}:{port}{_clean_path(path)}" for each in addresses]

    def _in_step(self, place: Place, text: str, names: list[str]) -> list[str]:
        texts = self._expanded(place, text)
        if len(texts) == 1 and not has_range(text):
            return texts * len(names)
        if texts and len(texts) != len(names):
            self.report.problem(
                place,
                f"{len(names)} host names but {len(texts)} addresses",
                hint="both ranges must be equally long",
            )
            return []
        return texts

    def _checked(
        self,
        place: Place,
        texts: list[str],
        complain: Complain,
        clean: Callable[[str], str],
        *,
        at_key: bool = False,
    ) -> list[str]:
        for text in texts:
            complaint = complain(text)
            if complaint is not None:
                message, hint = complaint
                self.report.problem(place, message, hint=hint, at_key=at_key)
                return []
        return [clean(text) for text in texts]

    def _shared(self, key: str, model: HostModel) -> dict[str, Any]:
        """Return what all hosts of one key have in common."""
        files = {each: self._file(key, model, each) for each in _FILES}
        if files["client_key"] and not files["client_cert"]:
            self.report.problem(
                self._source(key, model, "client_key"),
                "client_key without client_cert",
                hint="name the certificate too",
            )
        return {
            "labels": MappingProxyType({**self.defaults.labels, **model.labels}),
            "username": self._of(model, "username"),
            "password": self._password(key, model),
            "connect_timeout": self._of(model, "connect_timeout"),
            "request_timeout": self._of(model, "request_timeout"),
            "verify_tls": self._of(model, "verify_tls"),
            **files,
        }

    def _of(self, model: HostModel, name: str) -> Any:
        """Return the host's own value where it has one, else the default."""
        source = model if name in model.model_fields_set else self.defaults
        return getattr(source, name)

    def _source(self, key: str, model: HostModel, name: str) -> Place:
        if name in model.model_fields_set:
            return ("hosts", key, name)
        return ("defaults", name)

    def _password(self, key: str, model: HostModel) -> str | None:
        ref: SecretRef | None = self._of(model, "password")
        if ref is None:
            return None
        place = self._source(key, model, "password")
        if place not in self._secrets:
            found = secrets.resolve(ref, folder=self.folder, environ=self.environ)
            self._tell(place, found, key)
            self._secrets[place] = found.value
        return self._secrets[place]

    def _tell(self, place: Place, found: Resolved, key: str) -> None:
        owner = f"host {key}" if place[0] == "hosts" else "the default password"
        if found.problem:
            self.report.problem(
                place, f"{owner}: {found.problem}", hint="set it, then check again"
            )
        if found.warning:
            self.report.warn(place, found.warning)

    def _file(self, key: str, model: HostModel, name: str) -> str | None:
        given: str | None = self._of(model, name)
        if given is None:
            return None
        place = self._source(key, model, name)
        if place not in self._files:
            path = secrets.inside(self.folder, given)
            self._files[place] = str(path)
            if not path.is_file():
                self.report.problem(place, f"{name}: there is no file {path}")
        return self._files[place]


def _bad_address(text: str) -> tuple[str, str] | None:
    if _is_ipv6(text):
        return None
    if _ADDRESS.fullmatch(text):
        return _bad_name(text)
    if "@" in text:  # may hold a password: not to be shown
        return "that is not an address", "user name and password have their own keys"
    if re.fullmatch(r"[^:\s]+:[0-9]+", text):
        host, _, port = text.partition(":")
        return f"{text!r} is not an address", f"write address: {host} and port: {port}"
    if "://" in text:
        return f"{text!r} is not an address", "for a whole URL use the key url"
    return f"{text!r} is not an address", "write a name or an IP address"


def _bad_name(text: str) -> tuple[str, str] | None:
    """Complain of what cannot even be asked of a name server."""
    try:
        sent = text.removesuffix(".").encode("idna")
        sent.decode("idna")
        sizes = [len(label) for label in sent.split(b".")]
    except UnicodeError:
        sent, sizes = b"", [0]
    if len(sent) <= MAX_LOOKED_UP and 0 < min(sizes) <= max(sizes) <= MAX_LABEL:
        return None
    rule = (
        f"1 to {MAX_LABEL} characters between two dots, at most {MAX_LOOKED_UP} in all"
    )
    return f"{text!r} cannot be looked up", rule


def _is_ipv6(text: str) -> bool:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        ipaddress.IPv6Address(bare)
    except ValueError:
        return False
    return True


def _bracketed(text: str) -> str:
    return f"[{text.strip('[]')}]" if _is_ipv6(text) else text


def _bad_url(text: str) -> tuple[str, str] | None:
    form = "write http://host:9001, https://host/path or unix:///path"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "the url cannot be read", form
    if "@" in parts.netloc:
        return (
            "the url holds a user name or a password",
            "take them out; write username: and password: {env: NAME}",
        )
    if parts.scheme not in ("http", "https", "unix"):
        return f"the url has the scheme {parts.scheme or 'none'!r}", form
    if parts.query or parts.fragment or not text.isprintable() or " " in text:
        return "the url holds a space, ? or #", form
    return _bad_socket(parts) if parts.scheme == "unix" else _bad_place(parts)


def _bad_socket(parts: SplitResult) -> tuple[str, str] | None:
    path = unquote(parts.path)
    if parts.netloc or len(path) < 2 or "\0" in path:
        return "the url names no host or socket", "write unix:///path"
    if len(path.encode()) > MAX_SOCKET:
        return (
            f"the path of the socket is longer than {MAX_SOCKET} bytes",
            "no unix socket can be there; make a shorter link to its folder",
        )
    return None


def _bad_place(parts: SplitResult) -> tuple[str, str] | None:
    try:
        is_port = parts.port != 0
    except ValueError:
        is_port = False
    if not is_port:
        return "the port of the url is none", "ports are 1 to 65535"
    if not parts.hostname:
        return "the url names no host or socket", "write http://host:9001"
    return _bad_address(parts.hostname)


def _clean_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    return parts._replace(path=_clean_path(parts.path)).geturl()


def _clean_path(path: str) -> str:
    """Cut off what the transport adds itself."""
    return path.rstrip("/").removesuffix("/RPC2").rstrip("/")
