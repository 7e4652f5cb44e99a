"""The arrows of the architecture: two columns that meet over HTTP only, and in `main.py`."""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from tests.source_tree import PACKAGE, Module, known, product_modules

# Modules that are not in a folder, by the layer they belong to. A folder is a layer of its name.
LOOSE = {
    "server": {"metrics", "server", "personas"},
    "process": {"serving"},
    "doctor": {"doctor"},
    "floor": {
        "data_folder",
        "errors",
        "file_records",
        "file_responses",
        "hosted_tools",
        "json_text",
        "model_setting_values",
        "process_identity",
        "records",
        "request_log",
        "responses",
        "setting_values",
        "settings",
        "settings_files",
        "settings_watch",
        "supervision",
        "surrogates",
        "token_estimate",
        "untorn",
        "upstream_responses",
        "waiting",
    },
    "chatbot": {"chat", "chatbot"},
    "shared": {"catalogue", "event_frames"},
    # Histories of what is above HTTP: the page's own session, and threads by way of the client.
    "client history": {"history.streamlit_history", "history.thread_history"},
}
# A package of whose layer its front is not: it names classes of another one.
FRONTS = {"history": "client history"}

# Who may import whom; in itself every layer may, but never in a circle.
ARROWS = {
    "main": {"ui", "chatbot", "server", "doctor", "archive", "process", "floor"},
    # the sync column
    "ui": {"chatbot", "history", "shared"},  # the session of a temporary chat is a log
    "chatbot": {"shared"},
    # the async column
    "server": {"api", "runs", "tools", "files", "providers", "mirror", "store", "floor"},
    "mirror": {"history", "store", "floor"},
    "archive": {"store", "floor"},
    "doctor": {"providers", "floor", "shared"},
    "api": {"runs", "files", "providers", "store", "floor"},
    "runs": {"tools", "files", "providers", "store", "floor"},
    "tools": {"files", "providers", "store", "floor"},
    "files": {"providers", "store", "floor"},
    "providers": {"floor", "shared"},
    "store": {"floor"},
    "client history": {"history", "floor"},
    "history": {"floor"},
    "process": {"floor"},
    "floor": set(),
    "shared": set(),
}

# Who may know which library.
LIBRARIES = {
    "streamlit": {"ui", "client history"},  # not `main`, which also starts processes without a page
    "openai": {"ui", "chatbot", "client history"},
    "starlette": {"main", "process", "server", "api"},
    "uvicorn": {"main", "process"},
    "sqlalchemy": {"store", "runs", "api", "history"},
    "alembic": {"store"},
    "watchdog": {"floor"},
    "prometheus_client": {"server"},
    "psycopg": {"store"},
    "langchain_core": {"history", "client history"},
    "redis": {"history"},
    "confluent_kafka": {"history"},
    "obstore": {"archive"},
}


def layer(name: str) -> str:
    """The layer of a module of ours; "nowhere" if nobody has decided."""
    if name == "main":
        return name
    path = name.removeprefix(PACKAGE).lstrip(".")
    if path in FRONTS:
        return FRONTS[path]
    part = path.partition(".")[0]
    layers = (layer for layer, loose in LOOSE.items() if part in loose or path in loose)
    return next(layers, part if part in ARROWS else "nowhere")


def wrong_arrows(modules: Sequence[Module]) -> Iterator[str]:
    """Imports from a layer that may not know the other."""
    for module in modules:
        for line, imported in module.imports():
            other = known(imported, modules)
            if other in (None, PACKAGE):  # a library, or the bare package: its version
                continue
            here, there = layer(module.name), layer(other)
            if there != here and there not in ARROWS.get(here, set()):
                yield f"{module.name}:{line} ({here}) imports {other} ({there})"


def wrong_libraries(modules: Sequence[Module]) -> Iterator[str]:
    """Imports of a library by a layer that should not know it."""
    for module in modules:
        for line, imported in module.imports():
            allowed = LIBRARIES.get(imported.partition(".")[0])
            if allowed is not None and layer(module.name) not in allowed:
                yield f"{module.name}:{line} ({layer(module.name)}) imports {imported}"


def circle(modules: Sequence[Module]) -> list[str]:
    """A circle of imports, if there is one."""
    graph = {
        module.name: {
            other
            for _, imported in module.imports()
            if (other := known(imported, modules)) not in (None, module.name)
        }
        for module in modules
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_every_module_has_its_layer() -> None:
    names = [module.name for module in product_modules() if module.name != PACKAGE]

    assert [name for name in names if layer(name) == "nowhere"] == []


def test_every_layer_is_still_there() -> None:
    names = {module.name for module in product_modules()}
    loose = {f"{PACKAGE}.{name}" for names in LOOSE.values() for name in names}

    assert loose <= names
    assert {layer(name) for name in names if name != PACKAGE} == set(ARROWS)


def test_arrows_point_downward_and_never_across() -> None:
    assert list(wrong_arrows(product_modules())) == []


def test_imports_never_go_in_a_circle() -> None:
    assert circle(product_modules()) == []


def test_libraries_are_known_only_where_they_belong() -> None:
    assert list(wrong_libraries(product_modules())) == []


def planted(**texts: str) -> list[Module]:
    """The modules of a product that breaks the rules."""
    return [Module(name.replace("__", "."), text) for name, text in texts.items()]


STORE = "streamlit_assistant__store__pages"
API = "streamlit_assistant__api__app"
PAGE = "streamlit_assistant__ui__page"


def test_an_upward_arrow_is_noticed() -> None:
    modules = planted(**{STORE: "from streamlit_assistant.api import app", API: ""})

    assert list(wrong_arrows(modules)) == [
        "streamlit_assistant.store.pages:1 (store) imports streamlit_assistant.api.app (api)"
    ]


def test_an_upward_arrow_hidden_in_a_function_or_written_relatively_is_noticed() -> None:
    hidden = "def read():\n    import streamlit_assistant.api.app"
    relative = "from ..api import app"

    assert len(list(wrong_arrows(planted(**{STORE: hidden, API: ""})))) == 1
    assert len(list(wrong_arrows(planted(**{STORE: relative, API: ""})))) == 1


def test_an_arrow_across_the_columns_is_noticed() -> None:
    text = "from streamlit_assistant.store.pages import read_page"

    assert len(list(wrong_arrows(planted(**{PAGE: text, STORE: ""})))) == 1


def test_an_import_of_main_is_noticed() -> None:
    assert len(list(wrong_arrows(planted(**{API: "import main", "main": ""})))) == 1


def test_a_circle_is_noticed() -> None:
    other = "streamlit_assistant__store__rows"
    modules = planted(
        **{
            STORE: "from streamlit_assistant.store.rows import to_row",
            other: "from streamlit_assistant.store.pages import read_page",
        }
    )

    assert set(circle(modules)) == {
        "streamlit_assistant.store.pages",
        "streamlit_assistant.store.rows",
    }


def test_streamlit_below_http_is_noticed() -> None:
    for text in ("import streamlit as st", "from streamlit.web import bootstrap"):
        assert len(list(wrong_libraries(planted(**{API: text})))) == 1
        assert list(wrong_libraries(planted(**{PAGE: text}))) == []
