"""Checkers of the package's own rules, by reading source text; they return sentences.

Each takes sources (path below the root -> text), so that a test can feed it a bad one.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

Sources = Mapping[str, str]

ROOT = Path(__file__).parents[1]
PACKAGE = "supervisor_easy"

#: Where each library may be imported; nothing else may be imported at all.
HOMES: dict[str, frozenset[str]] = {
    library: frozenset(homes.split())
    for libraries, homes in (
        ("flask flask_wtf wtforms werkzeug jinja2 markupsafe itsdangerous", "web"),
        ("uvicorn a2wsgi uvloop", "web"),
        ("click rich", "cli"),
        ("sqlalchemy alembic psycopg", "store"),
        ("aiohttp yarl xml xmlrpc", "rpc"),
        ("yaml", "inventory"),
        ("pydantic", "settings inventory web"),
        ("argon2", "access store"),
    )
    for library in libraries.split()
}

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400

_CLOCK_CALLS = frozenset(
    {
        "time.sleep",
        "time.time",
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "datetime.datetime.now",
        "datetime.date.today",
    }
)
_MOCKS = ("unittest.mock", "pytest_mock", "mock")
_BROAD = frozenset({"Exception", "BaseException"})


def sources_of(folder: str) -> dict[str, str]:
    """Read every Python file below a folder of the checkout."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def homeless_imports(sources: Sources) -> list[str]:
    """Find imports of libraries outside their homes, and of libraries without one."""
    return [
        f"{path}:{line} imports {library}, whose home is "
        + (" and ".join(sorted(HOMES[library])) if library in HOMES else "nowhere yet")
        for path, text in sources.items()
        for line, library in _foreign_imports(ast.parse(text))
        if _area(path) not in HOMES.get(library, frozenset())
    ]


def long_functions(sources: Sources) -> list[str]:
    """Find functions longer than the limit, docstring and all."""
    return [
        f"{path}:{node.lineno} {node.name} has {length} lines"
        for path, text in sources.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]


def long_files(sources: Sources, *, longer: Mapping[str, int]) -> list[str]:
    """Find files longer than the limit, or than their own in `longer`."""
    return [
        f"{path} has {length} lines"
        for path, text in sources.items()
        if (length := len(text.splitlines())) > longer.get(path, MAX_FILE_LINES)
    ]


def clock_uses(sources: Sources) -> list[str]:
    """Find sleeping and reading the time of day past the injected clock."""
    return [
        f"{path}:{node.lineno} calls {name}"
        for path, text in sources.items()
        for node, name in _calls(ast.parse(text))
        if name in _CLOCK_CALLS
    ] + _names_taken(sources, module="time", names=frozenset({"sleep", "time"}))


def prints(sources: Sources) -> list[str]:
    """Find calls of print."""
    return [
        f"{path}:{node.lineno} prints"
        for path, text in sources.items()
        for node, name in _calls(ast.parse(text))
        if name == "print"
    ]


def broad_excepts(sources: Sources) -> list[str]:
    """Find handlers that swallow anything, as `path function`.

    One that ends by raising again swallows nothing.
    """
    return [
        f"{path} {function}"
        for path, text in sources.items()
        for function, handler in _handlers(ast.parse(text), "module")
        if _is_broad(handler) and not _raises_again(handler)
    ]


def sleeps(sources: Sources) -> list[str]:
    """Find `time.sleep`, however it was imported."""
    return [
        f"{path}:{node.lineno} sleeps"
        for path, text in sources.items()
        for node, name in _calls(ast.parse(text))
        if name == "time.sleep"
    ] + _names_taken(sources, module="time", names=frozenset({"sleep"}))


def patches(sources: Sources) -> list[str]:
    """Find patching of our own code: any mock library, and `setattr` of what is ours."""
    return [
        f"{path}:{line} patches"
        for path, text in sources.items()
        for line in _patches_in(ast.parse(text))
    ]


def _patches_in(tree: ast.Module) -> Iterator[int]:
    ours = set()
    for node, module, alias in _imports(tree):
        if f"{module}.{alias.name}".startswith(_MOCKS) or alias.name in _MOCKS:
            yield node.lineno
        if (module or alias.name).partition(".")[0] == PACKAGE:
            ours.add((alias.asname or alias.name).partition(".")[0])
    for call, name in _calls(tree):
        if name == "monkeypatch.setattr" and call.args and _is_ours(call.args[0], ours):
            yield call.lineno


def _imports(
    tree: ast.Module,
) -> Iterator[tuple[ast.Import | ast.ImportFrom, str, ast.alias]]:
    """Yield each imported name with the module it is taken from, if any."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                yield node, module, alias


def _is_ours(node: ast.expr, ours: set[str]) -> bool:
    if isinstance(node, ast.Constant):
        return str(node.value).partition(".")[0] == PACKAGE
    return _dotted(node).partition(".")[0] in ours


def _area(path: str) -> str:
    return path.removeprefix(f"{PACKAGE}/").partition("/")[0].removesuffix(".py")


def _foreign_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node, module, alias in _imports(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            continue
        library = (module or alias.name).partition(".")[0]
        is_free = library in sys.stdlib_module_names or library == PACKAGE
        if library in HOMES or not is_free:
            yield node.lineno, library


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, _dotted(node.func)


def _dotted(node: ast.expr) -> str:
    """Return `a.b.c` of such an expression, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _names_taken(sources: Sources, *, module: str, names: frozenset[str]) -> list[str]:
    return [
        f"{path}:{node.lineno} takes {alias.name} from {module}"
        for path, text in sources.items()
        for node, source, alias in _imports(ast.parse(text))
        if source == module and alias.name in names
    ]


def _handlers(node: ast.AST, function: str) -> Iterator[tuple[str, ast.ExceptHandler]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ExceptHandler):
            yield function, child
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        inner = child.name if is_function else function  # type: ignore[attr-defined]
        yield from _handlers(child, inner)


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(_dotted(each) in _BROAD for each in types)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
