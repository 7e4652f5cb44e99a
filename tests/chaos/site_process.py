"""What a process of a site does: the whole server column, until a signal ends it."""

import faulthandler
import importlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from streamlit_assistant.runs.pace import Pace
from streamlit_assistant.server import Server
from streamlit_assistant.serving import drained_first
from streamlit_assistant.settings import Settings

# What the server loads only when it is needed, and every process of a test needs.
LATER = (
    *("streamlit_assistant.providers.switchboard", "streamlit_assistant.store.postgres_text"),
    *("streamlit_assistant.store.postgres_signals", "psycopg", "psycopg_binary", "aiosqlite"),
    *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.aiosqlite"),
    *("uvicorn.lifespan.on", "uvicorn.loops.asyncio", "uvicorn.protocols.http.httptools_impl"),
)
for name in LATER:
    importlib.import_module(name)


def serve_site(order: Mapping[str, Any], sock: socket.socket) -> None:
    """Serve the API of a site on the given socket, as `start --api-only` and its like do."""
    faulthandler.register(signal.SIGUSR1)  # so that one that hangs can be asked where
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    given = {**order["settings"], "data_dir": Path(order["settings"]["data_dir"])}
    settings = Settings(**given)
    server = Server(settings, local_base_url=None, pace=Pace(**order["pace"]))
    server.prepare()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with server.running():
            with drained_first(server.begin_drain, settings.drain_seconds):
                yield

    app = Starlette(routes=server.routes, lifespan=lifespan)
    protocols: Any = {"ws": "none", "http": "httptools"}
    config = uvicorn.Config(app, log_level="warning", log_config=None, lifespan="on", **protocols)
    uvicorn.Server(config).run(sockets=[sock])
