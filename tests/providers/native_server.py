"""Model servers on a real socket that tell of their models in words of their own."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.conftest import listen

MODEL = "qwen3:8b"


@dataclass
class NativeServer:
    """What it says at which path below its root, and what it was asked; a response is a refusal."""

    url: str = ""
    owner: str = "library"
    listed: list[str] = field(default_factory=lambda: [MODEL])
    says: dict[str, Any] = field(default_factory=dict)
    pause: float = 0.0
    list_waits: bool = False  # until something else is asked for
    was_beside: bool = False
    asked: list[tuple[str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)

    async def list_models(self, _request: Request) -> Response:
        """`GET /v1/models`"""
        for _ in range(100 if self.list_waits else 0):
            self.was_beside |= bool(self.asked)
            await asyncio.sleep(0 if self.was_beside else 0.01)
        data = [{"id": name, "created": 1, "owned_by": self.owner} for name in self.listed]
        return JSONResponse({"object": "list", "data": data})

    async def tell(self, request: Request) -> Response:
        """Everything else."""
        path = request.url.path
        query = dict(request.query_params)
        self.asked.append((path, await request.json() if request.method == "POST" else query))
        self.keys.add(request.headers.get("authorization"))
        await asyncio.sleep(self.pause)
        answer = self.says.get(path)
        if answer is None:
            return JSONResponse({"error": "not found"}, 404)
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order of the alphabet."""
        return sorted(path for path, _ in self.asked)


@contextmanager
def native_server(prefix: str = "", **words: Any) -> Iterator[NativeServer]:
    """Serve until the block ends."""
    server = NativeServer(**words)
    routes = [
        Route(f"{prefix}/v1/models", server.list_models),
        Route("/{path:path}", server.tell, methods=["GET", "POST"]),
    ]
    with listen(Starlette(routes=routes)) as url:
        server.url = f"{url}{prefix}/v1"
        yield server


def shown(
    *gifts: str, trained: Any = 40960, parameters: str = "stop  <|end|>", **more: Any
) -> dict[str, Any]:
    """Return what Ollama shows of a model."""
    info = {"general.architecture": "qwen3", "qwen3.context_length": trained}
    told = {"capabilities": list(gifts)} if gifts else {}
    return {"model_info": info, "parameters": parameters, **told, **more}


def running(tokens: Any = 4096, name: str = MODEL) -> dict[str, Any]:
    """Return what Ollama says of what is loaded."""
    return {"models": [{"name": name, "model": name, "context_length": tokens}]}


def ollama(**more: Any) -> dict[str, Any]:
    """Return what an Ollama says whose model is loaded."""
    says = {"/api/show": shown("completion", "tools"), "/api/ps": running()}
    return {**says, **more}
