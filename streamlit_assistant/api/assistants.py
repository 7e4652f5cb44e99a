"""The assistants' endpoints."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import responses
from streamlit_assistant.api.conversion import to_json, to_tools
from streamlit_assistant.api.file_links import FileLinks
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.query import page_query, path_id
from streamlit_assistant.api.requests import CreateAssistant, ModifyAssistant, read_body
from streamlit_assistant.records import JSON, Assistant, Clock, new_id
from streamlit_assistant.store import Store


class AssistantEndpoints:
    """Create, list, retrieve, modify, delete."""

    def __init__(
        self,
        store: Store,
        links: FileLinks,
        restore: Callable[[], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """`restore` puts back the assistant that the page cannot do without."""
        self._store = store
        self._restore = restore
        self._links = links
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        one = "/assistants/{assistant_id}"
        return [
            Route("/assistants", self.list, methods=["GET"]),
            Route("/assistants", self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.modify, methods=["POST"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> JSONResponse:
        """`GET /assistants`"""
        page = await self._store.assistants.page(owner(request), page_query(request))
        return JSONResponse(responses.page(page, responses.assistant))

    async def create(self, request: Request) -> JSONResponse:
        """`POST /assistants`"""
        body = await read_body(request, CreateAssistant)
        resources, stores = await self._links.resources(owner(request), body.tool_resources)
        assistant = Assistant(
            id=new_id("asst"),
            owner=owner(request),
            created_at=int(self._clock()),
            **{"model": body.model, **_columns(body), "tool_resources": resources},
        )
        await self._store.assistants.add(assistant, stores)
        self._links.stored(stores=stores)
        return JSONResponse(responses.assistant(assistant))

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /assistants/{assistant_id}`"""
        assistant_id = path_id(request, "assistant_id")
        found = await self._store.assistants.get(owner(request), assistant_id)
        return JSONResponse(responses.assistant(found))

    async def modify(self, request: Request) -> JSONResponse:
        """`POST /assistants/{assistant_id}`: only the fields that were sent change."""
        assistant_id = path_id(request, "assistant_id")
        body = await read_body(request, ModifyAssistant)
        sent = body.model_fields_set - ({"model"} if body.model is None else set())
        resources, stores = await self._links.resources(owner(request), body.tool_resources)
        columns = {**_columns(body), "tool_resources": resources}
        changes = {name: value for name, value in columns.items() if name in sent}
        changed = await self._store.assistants.modify(owner(request), assistant_id, changes, stores)
        self._links.stored(stores=stores)
        return JSONResponse(responses.assistant(changed))

    async def delete(self, request: Request) -> JSONResponse:
        """`DELETE /assistants/{assistant_id}`"""
        assistant_id = path_id(request, "assistant_id")
        await self._store.assistants.delete(owner(request), assistant_id)
        await self._restore()
        return JSONResponse(responses.deleted(assistant_id, "assistant"))


def _columns(body: CreateAssistant | ModifyAssistant) -> JSON:
    return {
        "model": body.model,
        "name": body.name,
        "description": body.description,
        "instructions": body.instructions,
        "tools": to_tools(body.tools),
        "metadata": body.metadata or {},
        "temperature": body.temperature,
        "top_p": body.top_p,
        "response_format": to_json(body.response_format) or "auto",
        "reasoning_effort": body.reasoning_effort,
    }
