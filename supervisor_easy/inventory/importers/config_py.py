"""Reads the `config.py` of the original supervisor-easy: `SERVERS` and `GROUPS`.

The file is parsed, never run: literals, `Server(…)` calls, names of earlier literals
and `os.environ["X"]` are understood, anything else is reported with its line.
"""

import ast
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from supervisor_easy.errors import InventoryError, Problem, SelectorError
from supervisor_easy.inventory.hosts import is_address
from supervisor_easy.inventory.importers.draft import (
    Draft,
    DraftHost,
    EnvRef,
    Imported,
    read_source,
)
from supervisor_easy.selector import parse_selector

#: The order of `Server`'s arguments in the original.
_ARGUMENTS = ("host", "port", "user", "password", "name")
_SAME = {"username": "user", "address": "host", "ip": "host", "passwd": "password"}
_ENVIRONMENT = ("os.environ", "environ")
_GETTERS = ("os.environ.get", "environ.get", "os.getenv", "getenv")


def import_config_py(path: Path | str, *, keep_passwords: bool = False) -> Imported:
    """Return the servers and groups of a `config.py` as an inventory.

    Raises:
        InventoryError: it is not Python, or holds no server.
    """
    path, raw = read_source(path)
    try:
        tree = ast.parse(raw, filename=path.name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        line = getattr(exc, "lineno", None)
        problem = Problem("this is not Python 3; print needs brackets, say", line)
        raise InventoryError(str(path), [problem]) from exc
    reader = _Reader(Draft(path, keep_passwords))
    reader.read(tree)
    return reader.draft.finish()


class _NotLiteralError(Exception):
    """The expression would have to be run."""

    def __init__(self, node: ast.AST) -> None:
        self.node = node
        super().__init__(ast.unparse(node)[:60])


class _Reader:
    """Follows the top level of the module."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.names: dict[str, ast.expr] = {}
        self.by_server: dict[str, str] = {}
        self.servers: list[tuple[str | None, ast.expr]] = []
        self.groups: list[ast.expr] = []

    def read(self, tree: ast.Module) -> None:
        for statement in tree.body:
            for name, value in _assignments(statement):
                if name == "SERVERS":
                    self.servers += self.items(value)
                elif name == "GROUPS":
                    self.groups.append(value)
                else:
                    self.names[name] = value
        for key, node in self.servers:
            self.guarded(node, lambda key=key, node=node: self.server(key, node))
        for node in self.groups:
            self.guarded(node, lambda node=node: self.group_list(node))

    def guarded(self, node: ast.AST, work: Any) -> None:
        try:
            work()
        except _NotLiteralError as exc:
            self.report(f"not a literal, so not taken over: {exc}", exc.node)
        except (ValueError, TypeError, RecursionError) as exc:
            self.report(str(exc), node)

    def report(self, message: str, node: ast.AST) -> None:
        line, column = getattr(node, "lineno", None), getattr(node, "col_offset", 0)
        self.draft.problem(message, line, column + 1)

    def items(self, node: ast.expr) -> list[tuple[str | None, ast.expr]]:
        """Return the servers of a list, or of a dictionary by name."""
        if isinstance(node, ast.List | ast.Tuple):
            return [(None, each) for each in node.elts]
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            return [(_key(key), value) for key, value in pairs]
        if isinstance(node, ast.Name) and node.id in self.names:
            return self.items(self.names.pop(node.id))
        self.report("SERVERS is not a literal list or dictionary", node)
        return []

    def server(self, key: str | None, node: ast.expr) -> None:
        facts = self.facts(node)
        host = str(facts.get("host") or "").strip()
        if not host:
            raise ValueError("a server without host")
        if not is_address(host):
            raise ValueError("the host of a server is not an address")
        port = facts.get("port")
        if not isinstance(port, int):
            port = int(port) if isinstance(port, str) and port.isdecimal() else None
        user, password = facts.get("user"), facts.get("password")
        wanted = str(key or facts.get("name") or host)
        name = self.draft.name_for(wanted, self.draft.hosts)
        self.by_server[wanted] = name
        self.draft.hosts[name] = DraftHost(
            name,
            address=host,
            port=port if port and 0 < port < 65536 else 9001,
            username=str(user) if user else None,
            password=password if isinstance(password, EnvRef) else str(password or ""),
        )

    def facts(self, node: ast.expr) -> dict[str, Any]:
        if isinstance(node, ast.Name) and node.id in self.names:
            with self.held(node.id) as value:
                return self.facts(value)
        if isinstance(node, ast.Call):
            given = {
                name: self.value(each)
                for name, each in zip(_ARGUMENTS, node.args, strict=False)
            }
            given |= {str(each.arg): self.value(each.value) for each in node.keywords}
            return {_SAME.get(name, name): value for name, value in given.items()}
        value = self.value(node)
        if isinstance(value, dict):
            return {_SAME.get(str(k), str(k)): each for k, each in value.items()}
        if isinstance(value, list):
            return dict(zip(_ARGUMENTS, value, strict=False))
        if isinstance(value, str):
            host, _, port = value.removeprefix("http://").partition(":")
            return {"host": host, "port": port}
        raise ValueError("a server must be Server(…), a dictionary or a tuple")

    def group_list(self, node: ast.expr) -> None:
        value = self.value(node)
        if isinstance(value, dict):
            pairs = [(str(name), apps) for name, apps in value.items()]
        else:
            pairs = [(str(each["name"]), each.get("apps")) for each in value]
        for wanted, apps in pairs:
            members = [self.member(str(app), wanted, node) for app in apps or ()]
            found = [each for each in members if each]
            if found:
                name = self.draft.name_for(wanted, self.draft.groups, "group")
                self.draft.groups[name] = found

    def member(self, app: str, group: str, node: ast.AST) -> str | None:
        """Turn `server.group:name` into a selector; a server's name may hold dots."""
        known = [s for s in self.by_server if app == s or app.startswith(f"{s}.")]
        if not known:
            self.report(f"group {group}: no server is known for {app!r}", node)
            return None
        server = max(known, key=len)
        process = app[len(server) + 1 :]
        host = self.by_server[server]
        text = f"{host}/{process}" if process else host
        try:
            parse_selector(text)
        except SelectorError as exc:
            self.report(f"group {group}: {exc}", node)
            return None
        return text

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[ast.expr]:
        """Take a name out meanwhile, so that it cannot stand for itself."""
        value = self.names.pop(name)
        try:
            yield value
        finally:
            self.names[name] = value

    def value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple):
            return [self.value(each) for each in node.elts]
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            return {_key(key): self.value(each) for key, each in pairs}
        if isinstance(node, ast.Name) and node.id in self.names:
            with self.held(node.id) as value:
                return self.value(value)
        variable = _environment_variable(node)
        if variable is not None:
            return EnvRef(variable)
        try:
            return ast.literal_eval(node)
        except ValueError as exc:
            raise _NotLiteralError(node) from exc


def _assignments(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Yield what a statement gives to which name; `+=` and `append` add to it."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            names = (each.id for each in targets if isinstance(each, ast.Name))
            yield from ((name, value) for name in names)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
            yield name, value
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="append"),
                args=[item],
            )
        ):
            yield name, ast.copy_location(ast.List(elts=[item], ctx=ast.Load()), item)


def _key(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    raise _NotLiteralError(node or ast.Constant("**"))


def _environment_variable(node: ast.expr) -> str | None:
    match node:
        case ast.Subscript(value=source, slice=ast.Constant(value=str(name))):
            return name if ast.unparse(source) in _ENVIRONMENT else None
        case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]):
            return name if ast.unparse(function) in _GETTERS else None
    return None
