"""The threads' endpoints. Listing them is our extension: the hosted API had no such operation."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import responses
from streamlit_assistant.api.conversion import to_thread
from streamlit_assistant.api.file_links import FileLinks
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.private_answers import thread_answer
from streamlit_assistant.api.query import page_query, path_id
from streamlit_assistant.api.requests import CreateThread, ModifyThread, read_body
from streamlit_assistant.records import JSON, Clock
from streamlit_assistant.runs import RunExecutor
from streamlit_assistant.store import Store


class ThreadEndpoints:
    """Create, list, retrieve, modify, delete."""

    def __init__(self, store: Store, links: FileLinks, executor: RunExecutor, clock: Clock) -> None:
        self._store = store
        self._links = links
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
        mine = owner(request)
        found = await self._links.resources(mine, body.tool_resources, expiring=True)
        resources, stores = found
        thread, messages = to_thread(body, mine, int(self._clock()), resources)
        await self._links.check_images(mine, messages)
        stored = await self._store.threads.add(thread, messages, stores)
        self._links.stored(messages, stores)
        return thread_answer(stored)

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /threads/{thread_id}`"""
        thread = await self._store.threads.get(owner(request), path_id(request, "thread_id"))
        return thread_answer(thread)

    async def modify(self, request: Request) -> JSONResponse:
        """`POST /threads/{thread_id}`: only the fields that were sent change."""
        thread_id = path_id(request, "thread_id")
        body = await read_body(request, ModifyThread)
        changes: JSON = {}
        if "metadata" in body.model_fields_set:
            changes["metadata"] = body.metadata or {}
        mine = owner(request)
        found = await self._links.resources(mine, body.tool_resources, expiring=True)
        resources, stores = found
        if "tool_resources" in body.model_fields_set:
            changes["tool_resources"] = resources
        thread = await self._store.threads.modify(mine, thread_id, changes, stores)
        self._links.stored(stores=stores)
        return thread_answer(thread)

    async def delete(self, request: Request) -> JSONResponse:
        """`DELETE /threads/{thread_id}`: a run on it stops."""
        thread_id = path_id(request, "thread_id")
        run_id = await self._store.threads.delete(owner(request), thread_id)
        if run_id is not None:
            self._executor.abandon(run_id)
        return JSONResponse(responses.deleted(thread_id, "thread"))
