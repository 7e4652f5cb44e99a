"""Rules that no linter knows, each a smell met before: see that they hold, and that they notice."""

import ast
import re
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.source_tree import PACKAGE, Module, modules_of_tests, product_modules

LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
LONGEST_PAGE = 60
# A page's folder lands on `sys.path`; a file of such a name would hide the library from everybody.
TAKEN_NAMES = sys.stdlib_module_names | {
    *("aiosqlite", "alembic", "httpx", "kafka", "openai", "pydantic", "redis"),
    *("sqlalchemy", "starlette", "streamlit", "tenacity", "uvicorn", "watchdog"),
}

Rule = Callable[[Module], Iterator[int]]


def too_long(module: Module) -> Iterator[int]:
    """More than one thought in a file."""
    page = module.name == f"{PACKAGE}.ui.page"
    lines = len(module.text.splitlines())
    if lines > (LONGEST_PAGE if page else LONGEST_MODULE):
        yield lines


def long_function(module: Module) -> Iterator[int]:
    """A function that does not fit a screen."""
    if ".migrations.versions." in module.name:
        return  # a list of what was done to the tables, written by a tool and never changed
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
            if (node.end_lineno or first) - first >= LONGEST_FUNCTION:
                yield first


def nameless_purpose(module: Module) -> Iterator[int]:
    """A file that does not say what it is for."""
    if module.text.strip() and not ast.get_docstring(module.tree):
        yield 1


def hidden_library(module: Module) -> Iterator[int]:
    """A file that would hide a library from whoever has its folder on the path."""
    if module.name.rpartition(".")[2] in TAKEN_NAMES and module.name.count(".") > 0:
        yield 1


def rag_bag(module: Module) -> Iterator[int]:
    """A file for whatever has no home."""
    if module.name.rpartition(".")[2] in {"utils", "util", "helpers", "common", "misc"}:
        yield 1


# The outermost frames: of a run, of endless loops, of a document, of a stream that has begun.
OUTERMOST = {
    "files.extraction_worker",
    *("runs.execute_run", "supervision", "files.housekeeping", "files.indexer"),
    *("api.event_stream", "mirror.copies"),
}


def swallowed_error(module: Module) -> Iterator[int]:
    """A net that catches every error, anywhere but around a run."""
    if module.name.removeprefix(f"{PACKAGE}.") in OUTERMOST:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = [node.type, *(node.type.elts if isinstance(node.type, ast.Tuple) else [])]
            names = {part.id for part in caught if isinstance(part, ast.Name)}
            if node.type is None or names & {"Exception", "BaseException"}:
                yield node.lineno


def loose_event(module: Module) -> Iterator[int]:
    """A server-sent event put together by hand."""
    if module.name == f"{PACKAGE}.api.event_stream":
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if node.value.startswith(("data: ", "event: ")):
            yield node.lineno


def loose_object(module: Module) -> Iterator[int]:
    """An object of the protocol put together outside the modules that know them all."""
    if module.name in {f"{PACKAGE}.{kind}responses" for kind in ("", "file_", "upstream_")}:
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Dict):
            continue
        if any(isinstance(key, ast.Constant) and key.value == "object" for key in node.keys):
            yield node.lineno


def naive_time(module: Module) -> Iterator[int]:
    """A time that does not say where."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            naive = node.func.attr in {"utcnow", "utcfromtimestamp"}
            owner = ast.unparse(node.func.value)
            now = node.func.attr == "now" and owner in {"datetime", "datetime.datetime"}
            if naive or (now and not node.args and not node.keywords):
                yield node.lineno


def state_by_import(module: Module) -> Iterator[int]:
    """An object that exists because its module was imported, or a `global` that makes one."""
    if re.fullmatch(rf"{PACKAGE}\.store\.(\w+_)?tables", module.name):
        return  # SQLAlchemy's way to declare tables; they describe and hold nothing
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if any(name.islower() and name != "logger" for name in names):
                yield node.lineno
    for inner in ast.walk(module.tree):
        if isinstance(inner, ast.Global):
            yield inner.lineno


def async_above_http(module: Module) -> Iterator[int]:
    """Anything but plain functions where Streamlit's threads run."""
    if not module.name.startswith((f"{PACKAGE}.ui", f"{PACKAGE}.chatbot")):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AsyncFunctionDef):
            yield node.lineno
    yield from (
        line
        for line, imported in module.imports()
        if imported.partition(".")[0] in {"asyncio", "anyio", "threading", "concurrent"}
    )


def patched(module: Module) -> Iterator[int]:
    """A test that reaches into our modules instead of passing something in."""
    yield from (line for line, name in module.imports() if name.startswith("unittest.mock"))


PRODUCT_RULES: list[Rule] = [
    too_long,
    long_function,
    nameless_purpose,
    hidden_library,
    rag_bag,
    swallowed_error,
    loose_event,
    loose_object,
    naive_time,
    state_by_import,
    async_above_http,
]
TEST_RULES: list[Rule] = [rag_bag, naive_time, patched]


@pytest.mark.parametrize("rule", PRODUCT_RULES)
def test_the_product_keeps_the_rule(rule: Rule) -> None:
    assert [f"{m.name}:{line}" for m in product_modules() for line in rule(m)] == []


@pytest.mark.parametrize("rule", TEST_RULES)
def test_the_tests_keep_the_rule(rule: Rule) -> None:
    assert [f"{m.name}:{line}" for m in modules_of_tests() for line in rule(m)] == []


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        (too_long, "store.pages", "\n" * 301),
        (too_long, "ui.page", "\n" * 61),
        (long_function, "store.pages", "def read():\n" + "    pass\n" * 40),
        (long_function, "store.pages", "@cache\nasync def read():\n" + "    pass\n" * 39),
        (nameless_purpose, "store.pages", "import os"),
        (hidden_library, "ui.openai", ""),
        (hidden_library, "ui.types", ""),
        (rag_bag, "api.utils", ""),
        (swallowed_error, "store.pages", "try:\n    pass\nexcept Exception:\n    pass"),
        (swallowed_error, "store.pages", "try:\n    pass\nexcept:\n    pass"),
        (swallowed_error, "store.pages", "try:\n    pass\nexcept (OSError, Exception):\n    pass"),
        (loose_event, "api.runs", 'frame = f"data: {text}"'),
        (loose_event, "api.runs", 'frame = "event: done"'),
        (loose_object, "api.runs", 'answer = {"object": "list"}'),
        (naive_time, "store.pages", "datetime.now()"),
        (naive_time, "store.pages", "datetime.datetime.utcnow()"),
        (state_by_import, "store.pages", "client = Client()"),
        (state_by_import, "store.pages", "def f():\n    global client"),
        (async_above_http, "ui.turn", "async def f(): ..."),
        (async_above_http, "chatbot", "from threading import Thread"),
        (patched, "tests.test_store", "from unittest.mock import patch"),
    ],
)
def test_the_rule_notices_what_breaks_it(rule: Rule, name: str, text: str) -> None:
    assert list(rule(Module(f"{PACKAGE}.{name}", text)))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (long_function, "def read():\n" + "    pass\n" * 39),
        (naive_time, "datetime.now(UTC)"),
        (state_by_import, "logger = getLogger(__name__)\nTABLE = Table()"),
        (swallowed_error, "try:\n    pass\nexcept OSError:\n    pass"),
    ],
)
def test_the_rule_lets_pass_what_keeps_it(rule: Rule, text: str) -> None:
    assert not list(rule(Module(f"{PACKAGE}.store.pages", text)))
