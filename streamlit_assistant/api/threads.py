"""The threads' endpoints. Listing them is our extension: the hosted API had no such operation."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import responses
from streamlit_assistant.api.conversion import to_thread, to_tool_resources
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.query import page_query, path_id
from streamlit_assistant.api.requests import CreateThread, ModifyThread, read_body
from streamlit_assistant.records import JSON, Clock
from streamlit_assistant.runs import RunExecutor
from streamlit_assistant.store import Store


class ThreadEndpoints:
    """Create, list, retrieve, modify, delete."""

    def __init__(self, store: Store, executor: RunExecutor, clock: Clock) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        one = "/threads/{thread_id}"
        return [
            Route("/threads", self.list, methods=["GET"]),
            Route("/threads", self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.modify, methods=["POST"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> JSONResponse:
        """`GET /threads`: the caller's own, the most recently active first."""
        page = await self._store.threads.page(owner(request), page_query(request))
        return JSONResponse(responses.page(page, responses.listed_thread))

    async def create(self, request: Request) -> JSONResponse:
        """`POST /threads`"""
        body = await read_body(request, CreateThread)
        thread, messages = to_thread(body, owner(request), int(self._clock()))
        await self._store.threads.add(thread, messages)
        return JSONResponse(responses.thread(thread))

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /threads/{thread_id}`"""
        thread = await self._store.threads.get(owner(request), path_id(request, "thread_id"))
        return JSONResponse(responses.thread(thread))

    async def modify(self, request: Request) -> JSONResponse:
        """`POST /threads/{thread_id}`: only the fields that were sent change."""
        thread_id = path_id(request, "thread_id")
        body = await read_body(request, ModifyThread)
        changes: JSON = {}
        if "metadata" in body.model_fields_set:
            changes["metadata"] = body.metadata or {}
        if "tool_resources" in body.model_fields_set:
            changes["tool_resources"] = to_tool_resources(body.tool_resources)
        thread = await self._store.threads.modify(owner(request), thread_id, changes)
        return JSONResponse(responses.thread(thread))

    async def delete(self, request: Request) -> JSONResponse:
        """`DELETE /threads/{thread_id}`: a run on it stops."""
        thread_id = path_id(request, "thread_id")
        await self._store.threads.delete(owner(request), thread_id)
        self._executor.abandon(thread_id)
        return JSONResponse(responses.deleted(thread_id, "thread"))
