"""The vector stores' endpoints."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import file_responses, responses
from streamlit_assistant.api.conversion import to_json
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.polling import poll_headers
from streamlit_assistant.api.query import page_query, path_id
from streamlit_assistant.api.requests import read_body
from streamlit_assistant.api.vector_store_conversion import to_query, to_vector_store
from streamlit_assistant.api.vector_store_requests import (
    CreateVectorStore,
    ModifyVectorStore,
    SearchVectorStore,
)
from streamlit_assistant.file_records import VectorStore
from streamlit_assistant.files.indexer import Indexer
from streamlit_assistant.files.search import FileSearch
from streamlit_assistant.records import JSON, Clock
from streamlit_assistant.store import Store


class VectorStoreEndpoints:
    """Create, list, retrieve, modify, delete, search."""

    def __init__(self, store: Store, search: FileSearch, indexer: Indexer, clock: Clock) -> None:
        self._store = store
        self._search = search
        self._indexer = indexer
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        one = "/vector_stores/{vector_store_id}"
        return [
            Route("/vector_stores", self.list, methods=["GET"]),
            Route("/vector_stores", self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.modify, methods=["POST"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/search", self.search, methods=["POST"]),
        ]

    async def list(self, request: Request) -> JSONResponse:
        """`GET /vector_stores`"""
        page = await self._store.vector_stores.page(owner(request), page_query(request))
        return JSONResponse(responses.page(page, self._shown))

    async def create(self, request: Request) -> JSONResponse:
        """`POST /vector_stores`"""
        body = await read_body(request, CreateVectorStore)
        new = to_vector_store(body, owner(request), int(self._clock()))
        made = await self._store.vector_stores.add(new)
        self._indexer.notify()
        return JSONResponse(self._shown(made))

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /vector_stores/{vector_store_id}`"""
        store_id = path_id(request, "vector_store_id")
        found = await self._store.vector_stores.get(owner(request), store_id)
        age = self._clock() - found.last_active_at
        headers = poll_headers(age, is_over=not found.in_progress)
        return JSONResponse(self._shown(found), headers=headers)

    async def modify(self, request: Request) -> JSONResponse:
        """`POST /vector_stores/{vector_store_id}`: only the fields that were sent change."""
        store_id = path_id(request, "vector_store_id")
        body = await read_body(request, ModifyVectorStore)
        sent: JSON = {
            "name": body.name or "",
            "expires_after": to_json(body.expires_after),
            "metadata": body.metadata or {},
        }
        changes = {name: value for name, value in sent.items() if name in body.model_fields_set}
        changed = await self._store.vector_stores.modify(owner(request), store_id, changes)
        return JSONResponse(self._shown(changed))

    async def delete(self, request: Request) -> JSONResponse:
        """`DELETE /vector_stores/{vector_store_id}`: the files in it stay in the library."""
        store_id = path_id(request, "vector_store_id")
        await self._store.vector_stores.delete(owner(request), store_id)
        self._indexer.notify()
        return JSONResponse(responses.deleted(store_id, "vector_store"))

    async def search(self, request: Request) -> JSONResponse:
        """`POST /vector_stores/{vector_store_id}/search`"""
        store_id = path_id(request, "vector_store_id")
        body = await read_body(request, SearchVectorStore)
        found = await self._store.vector_stores.usable(owner(request), store_id)
        query = to_query(body)
        await self._store.vector_stores.touch([found.id])
        results = await self._search.search([found.id], query)
        return JSONResponse(file_responses.search_results(query.queries, results))

    def _shown(self, record: VectorStore) -> JSON:
        return file_responses.vector_store(record, self._clock())
