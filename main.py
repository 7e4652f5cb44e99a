"""The composition root: settings, server and page become one process. Nothing imports it.

Three ways lead here. `start` calls `main`; `uvicorn main:app` and `streamlit run main.py` ask for
`app`, which is built when they do, so that `start --help` builds nothing.
"""

import gc

# What the imports make stays for good: looking for garbage among it takes a seventh of the start.
gc.disable()

import argparse
import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from streamlit import config
from streamlit.logger import get_logger
from streamlit.web import bootstrap

from streamlit_assistant import __version__
from streamlit_assistant.errors import StartError
from streamlit_assistant.personas import DEFAULT_ASSISTANT_ID
from streamlit_assistant.request_log import log_request_ids
from streamlit_assistant.server import Server
from streamlit_assistant.serving import (
    Address,
    PlainStartErrors,
    drained_first,
    ended_by_signals,
    host_server,
    listening,
    send_at_once,
    serving_address,
)
from streamlit_assistant.settings import Settings
from streamlit_assistant.settings_files import SettingsFiles, SettingsSources, flattened
from streamlit_assistant.settings_watch import watched_settings

gc.freeze()
gc.enable()

HERE = Path(__file__).resolve().parent
PAGE = HERE / "streamlit_assistant" / "ui" / "page.py"

# Streamlit's options that nobody is to change.
PRIVATE: Mapping[str, Any] = MappingProxyType(
    {
        "browser.gatherUsageStats": False,
        # Streamlit would put our secrets into the environment of the process, and a mistake made
        # in the file while it runs would take the page down.
        "secrets.files": [],
    }
)


def main(argv: Sequence[str] | None = None) -> int:
    """The `start` command; returns the exit code."""
    flags = vars(command_line().parse_args(argv))
    try:
        with ended_by_signals():
            start(settings_sources(flags))
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except SystemExit as end:  # 0 after a signal; anything else was explained where it happened
        return 1 if end.code else 0
    return 0


def command_line() -> argparse.ArgumentParser:
    """The flags, named as the settings they stand for; their values are checked with the others."""
    parser = argparse.ArgumentParser(
        prog="start",
        description="Serve the chat page and its Assistants API.",
        epilog="All other settings come from the environment or .streamlit/secrets.toml; "
        "see .streamlit/secrets.toml.example.",
    )
    parser.add_argument("--port", dest="PORT", help="port to listen on (default: 8501)")
    parser.add_argument("--host", dest="HOST", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--data-dir", dest="DATA_DIR", help="folder for the database and the keys")
    parser.add_argument("--version", action="version", version=f"streamlit-assistant {__version__}")
    return parser


def settings_sources(flags: Mapping[str, str | None]) -> SettingsSources:
    """Where this process finds its settings."""
    return SettingsSources(flags, dict(os.environ), SettingsFiles.of(Path.cwd(), HERE))


def start(sources: SettingsSources) -> None:
    """Serve until a signal ends it; raises `StartError` if that cannot be."""
    settings = sources.load()
    Address(settings.host, settings.port).ensure_free()
    options = look(sources.files) | {
        **PRIVATE,
        "server.port": settings.port,
        "server.address": settings.host,
        "server.headless": True,
        # Streamlit would look up this machine's public address over the network to show it.
        "logger.hideWelcomeMessage": True,
    }
    bootstrap.load_config_options(options)
    app = create_app(settings, Server(settings), sources)
    # At run time it takes an application as well as the name of one.
    bootstrap.run_asgi_app(str(HERE / "main.py"), cast("str", app), [], options)


def look(files: SettingsFiles) -> dict[str, Any]:
    """What Streamlit must be told for the page to look the same wherever it is started."""
    if files.config_path() in (None, files.folders[0] / "config.toml"):
        return {}  # Streamlit reads the current folder's by itself
    return dict(flattened(files.config()))


def create_app(settings: Settings, server: Server, sources: SettingsSources) -> st.App:
    """The page and the API as one ASGI application; raises `StartError`."""
    server.prepare()
    get_logger("streamlit_assistant")  # lets our log appear beside Streamlit's, in its format
    log_request_ids()

    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        host = host_server()
        address = serving_address(Address(settings.host, settings.port))
        st.secrets.merge_programmatic_secrets({"site": page_secrets(address, settings, server)})
        async with server.running():
            with (
                drained_first(server.begin_drain),
                watched_settings(settings, sources, server.reload),
            ):
                print(greeting(address, settings, server), flush=True)
                opening = asyncio.create_task(open_doors(server, host))
                yield
                opening.cancel()

    # `streamlit run` recognises the application by the words `app = st.App(`.
    app = st.App(
        PAGE,
        routes=server.routes,
        lifespan=lifespan,
        middleware=[Middleware(PlainStartErrors)],
    )
    return app


async def open_doors(server: Server, host: uvicorn.Server | None) -> None:
    """What is done once the server listens, so that nobody waits for it.

    The first visitor should not pay for what the page and the model's adapter load.
    """
    await listening(host)
    send_at_once(host)
    await asyncio.to_thread(preload_page)
    print(f"  Answers: {await server.upstream_summary()}", flush=True)


def preload_page() -> None:
    """Load what the page's script will import when the first browser comes."""
    importlib.import_module("streamlit_assistant.ui.session").preload()
    for part in ("sidebar", "chat"):
        importlib.import_module(f"streamlit_assistant.ui.{part}")


def page_secrets(address: Address, settings: Settings, server: Server) -> dict[str, Any]:
    """What the page must know to reach the API: all that the two columns share."""
    return {
        "base_url": f"{address.url}/v1",
        "api_key": server.site_key,
        "assistant_id": settings.openai_assistant_id or DEFAULT_ASSISTANT_ID,
        "streaming": settings.streaming,
        "message_limit": settings.message_limit,
    }


def greeting(address: Address, settings: Settings, server: Server) -> str:
    """What the person who started us wants to know."""
    lines = [
        f"streamlit-assistant {__version__}",
        f"  Chat:    {address.url}",
        f"  API:     {address.url}/v1",
        f"  Data:    {settings.data_dir}",
    ]
    if server.first_start:
        key = server.first_start.api_key
        lines.append(f"  API key for other programs, shown this once: {key}")
    if not address.is_loopback:
        lines.append(
            f"  Warning: {address.host} can be reached from other machines, "
            "and whoever reaches the port can use the site."
        )
    return "\n".join(lines)


def __getattr__(name: str) -> st.App:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return served_by_others()


@cache
def served_by_others() -> st.App:
    """The application for a server that somebody else started and that chose its own port."""
    sources = settings_sources({})
    try:
        settings = sources.load()
        for name, value in look(sources.files).items():
            if not config.is_manually_set(name):
                config.set_option(name, value)
        for name, value in PRIVATE.items():
            config.set_option(name, value)
        return create_app(settings, Server(settings), sources)
    except StartError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
