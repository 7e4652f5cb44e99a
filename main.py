"""The composition root: settings, server and page become one process. Nothing imports it.

Three ways lead here. `start` calls `main`; `uvicorn main:app` and `streamlit run main.py` ask for
`app`, which is built when they do, so that `start --help` builds nothing. A process that serves no
page loads no Streamlit.
"""

import gc

# What the imports make stays for good: looking for garbage among it takes a seventh of the start.
gc.disable()

import argparse
import asyncio
import importlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from streamlit_assistant import __version__
from streamlit_assistant.archive.command_line import add_arguments
from streamlit_assistant.doctor import examine
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
    log_to_terminal,
    send_at_once,
    serve,
    serving_address,
)
from streamlit_assistant.setting_values import is_postgres, postgres_place
from streamlit_assistant.settings import Settings
from streamlit_assistant.settings_files import SettingsFiles, SettingsSources, flattened
from streamlit_assistant.settings_watch import watched_settings

gc.freeze()
gc.enable()

HERE = Path(__file__).resolve().parent
DOCTOR, ARCHIVE = "doctor", "archive"  # the commands beside serving, which needs no name
INTERRUPTED = 130  # exit code, as a shell gives it after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """The `start` command; returns the exit code."""
    flags = vars(command_line().parse_args(argv))
    command = flags.pop("command")
    if command == DOCTOR:
        return doctor(settings_sources(flags))
    if command == ARCHIVE:
        return move_threads(settings_sources(flags), flags)
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
    add_setting_flags(parser)
    commands = parser.add_subparsers(
        title="commands, instead of serving", dest="command", metavar="COMMAND"
    )
    # What stands before a command is not to be overwritten by what it leaves out.
    unless_given: dict[str, Any] = {"argument_default": argparse.SUPPRESS}
    trying = "test the model server of the settings, print what it can do, and serve nothing"
    add_setting_flags(commands.add_parser(DOCTOR, help=trying, **unless_given))
    moving = "move old threads out of the database into an archive, list them, bring them back"
    mover = commands.add_parser(ARCHIVE, help=moving, **unless_given)
    mover.add_argument("--data-dir", dest="DATA_DIR", help="folder of the site's data")
    add_arguments(mover)
    return parser


def add_setting_flags(parser: argparse.ArgumentParser) -> None:
    """The settings that have flags."""
    parser.add_argument("--port", dest="PORT", help="port to listen on (default: 8501)")
    parser.add_argument("--host", dest="HOST", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--data-dir", dest="DATA_DIR", help="folder for the database and the keys")
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--api-only",
        dest="ROLE",
        action="store_const",
        const="api",
        help="serve /v1 and no page, and leave the runs to other processes on the same database",
    )
    part.add_argument(
        "--worker-only",
        dest="ROLE",
        action="store_const",
        const="worker",
        help="execute runs and read files, and serve nothing but /healthz and /metrics",
    )
    parser.add_argument("--version", action="version", version=f"streamlit-assistant {__version__}")


def settings_sources(flags: Mapping[str, str | None]) -> SettingsSources:
    """Where this process finds its settings."""
    return SettingsSources(flags, dict(os.environ), SettingsFiles.of(Path.cwd(), HERE))


def doctor(sources: SettingsSources) -> int:
    """The `start doctor` command; returns the exit code."""
    # What would go to the log stands in what it prints.
    logging.getLogger("streamlit_assistant").addHandler(logging.NullHandler())
    try:
        settings = sources.load()
        return asyncio.run(examine(settings, sys.stdout))
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing was changed.", file=sys.stderr)
        return INTERRUPTED


def move_threads(sources: SettingsSources, flags: Mapping[str, Any]) -> int:
    """The `start archive` command; returns the exit code."""
    archive = importlib.import_module("streamlit_assistant.archive.command")
    try:
        mover = archive.ArchiveCommand(sources.load(), sources.environ, sys.stdout, sys.stderr)
        code: int = asyncio.run(mover.run(flags))
        return code
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is lost, and the next run goes on.", file=sys.stderr)
        return INTERRUPTED


def start(sources: SettingsSources) -> None:
    """Serve until a signal ends it; raises `StartError` if that cannot be."""
    settings = sources.load()
    address = Address(settings.host, settings.port)
    address.ensure_free()
    server = Server(settings)
    if settings.role == "all":
        page = load_page()
        options = page.configure(look(sources.files), address.host, address.port)
        page.run(HERE / "main.py", create_app(settings, server, sources), options)
    else:
        log_to_terminal()
        serve(create_app(settings, server, sources), address)


def look(files: SettingsFiles) -> dict[str, Any]:
    """What Streamlit must be told for the page to look the same wherever it is started."""
    if files.config_path() in (None, files.folders[0] / "config.toml"):
        return {}  # Streamlit reads the current folder's by itself
    return dict(flattened(files.config()))


def load_page() -> ModuleType:
    """Streamlit, and the page as an application of it."""
    gc.disable()
    page = importlib.import_module("streamlit_assistant.ui.hosting")
    gc.freeze()
    gc.enable()
    return page


def create_app(settings: Settings, server: Server, sources: SettingsSources) -> ASGIApp:
    """What the process serves, as one ASGI application; raises `StartError`."""
    server.prepare()
    log_request_ids()
    page = load_page() if settings.role == "all" else None

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        host = host_server()
        address = serving_address(Address(settings.host, settings.port))
        if page:
            page.tell_page(page_secrets(address, settings, server))
        async with server.running():
            with (
                drained_first(server.begin_drain, settings.drain_seconds),
                watched_settings(settings, sources, server.reload),
            ):
                print(greeting(address, settings, server), flush=True)
                opening = asyncio.create_task(open_doors(server, host, page))
                yield
                opening.cancel()

    parts: dict[str, Any] = {
        "routes": server.routes,
        "lifespan": lifespan,
        "middleware": [Middleware(PlainStartErrors)],
    }
    if page:
        with_page: ASGIApp = page.application(**parts)
        return with_page
    # `streamlit run` recognises an application, whichever, by words such as `app = Starlette(`.
    app = Starlette(**parts)
    return app


async def open_doors(server: Server, host: uvicorn.Server | None, page: ModuleType | None) -> None:
    """What is done once the server listens, so that nobody waits for it.

    The first visitor should not pay for what the page and the model's adapter load.
    """
    await listening(host)
    send_at_once(host)
    if page:
        await asyncio.to_thread(page.preload)
    if await server.has_worker():
        print(f"  Answers: {await server.upstream_summary()}", flush=True)
    else:
        print("  Nobody executes runs yet; they wait for: start --worker-only", flush=True)


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
    lines = [f"streamlit-assistant {__version__}"]
    if settings.role == "all":
        lines.append(f"  Chat:    {address.url}")
    if settings.role == "worker":
        lines.append(f"  Worker:  executes runs and reads files; {address.url}/healthz")
    else:
        lines.append(f"  API:     {address.url}/v1")
    if is_postgres(settings.database_url):
        lines.append(f"  Data:    PostgreSQL at {postgres_place(settings.database_url)}")
        lines.append(f"  Folder:  {settings.data_dir}")
    else:
        lines.append(f"  Data:    {settings.data_dir}")
    if server.first_start:
        key = server.first_start.api_key
        lines.append(f"  API key for other programs, shown this once: {key}")
    if settings.role == "all" and not address.is_loopback:
        lines.append(
            f"  Warning: {address.host} can be reached from other machines, "
            "and whoever reaches the port can use the site."
        )
    return "\n".join(lines)


def __getattr__(name: str) -> ASGIApp:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return served_by_others()


@cache
def served_by_others() -> ASGIApp:
    """The application for a server that somebody else started and that chose its own port."""
    sources = settings_sources({})
    try:
        settings = sources.load()
        load_page().add_options(look(sources.files))
        return create_app(settings, Server(settings), sources)
    except StartError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
