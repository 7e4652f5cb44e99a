"""The run steps' endpoints."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import responses
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.query import check_include, page_query, path_id
from streamlit_assistant.records import Run
from streamlit_assistant.store import Store


class StepEndpoints:
    """List, retrieve."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        many = "/threads/{thread_id}/runs/{run_id}/steps"
        return [
            Route(many, self.list, methods=["GET"]),
            Route(f"{many}/{{step_id}}", self.retrieve, methods=["GET"]),
        ]

    async def list(self, request: Request) -> JSONResponse:
        """`GET /threads/{thread_id}/runs/{run_id}/steps`"""
        with_results = check_include(request)
        run = await self._run(request)
        query = page_query(request, "include")
        page = await self._store.steps.page(run.id, query)
        render = partial(responses.run_step, with_results=with_results)
        return JSONResponse(responses.page(page, render))

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}`"""
        with_results = check_include(request)
        step_id = path_id(request, "step_id")
        run = await self._run(request)
        step = await self._store.steps.get(run.id, step_id)
        return JSONResponse(responses.run_step(step, with_results))

    async def _run(self, request: Request) -> Run:
        run_id = path_id(request, "run_id")
        thread_id = path_id(request, "thread_id")
        return await self._store.runs.of(owner(request), thread_id, run_id)
