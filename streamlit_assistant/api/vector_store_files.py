"""The endpoints of the files in a vector store."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import file_responses, responses
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.polling import poll_headers
from streamlit_assistant.api.query import page_query, path_id
from streamlit_assistant.api.requests import read_body
from streamlit_assistant.api.vector_store_conversion import to_file
from streamlit_assistant.api.vector_store_query import content_start, status_filter
from streamlit_assistant.api.vector_store_requests import CreateVectorStoreFile, UpdateAttributes
from streamlit_assistant.file_records import IndexStatus, VectorStore
from streamlit_assistant.files.indexer import Indexer
from streamlit_assistant.records import Clock
from streamlit_assistant.store import Store

MOST_TEXTS = 2_000  # of a page of a file's content


class VectorStoreFileEndpoints:
    """Create, list, retrieve, update the attributes, delete, show the text."""

    def __init__(self, store: Store, indexer: Indexer, clock: Clock) -> None:
        self._store = store
        self._indexer = indexer
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        many = "/vector_stores/{vector_store_id}/files"
        one = f"{many}/{{file_id}}"
        return [
            Route(many, self.list, methods=["GET"]),
            Route(many, self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.update, methods=["POST"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/content", self.content, methods=["GET"]),
        ]

    async def list(self, request: Request) -> JSONResponse:
        """`GET /vector_stores/{vector_store_id}/files`"""
        store = await self._vector_store(request)
        query, status = page_query(request, "filter"), status_filter(request)
        page = await self._store.vector_store_files.page(store.id, query, status)
        return JSONResponse(responses.page(page, file_responses.vector_store_file))

    async def create(self, request: Request) -> JSONResponse:
        """`POST /vector_stores/{vector_store_id}/files`"""
        store_id = path_id(request, "vector_store_id")
        body = await read_body(request, CreateVectorStoreFile)
        file = to_file(body, store_id, int(self._clock()))
        added = await self._store.vector_store_files.add(owner(request), file)
        self._indexer.notify()
        return JSONResponse(file_responses.vector_store_file(added))

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /vector_stores/{vector_store_id}/files/{file_id}`"""
        file_id = path_id(request, "file_id")
        store = await self._vector_store(request)
        found = await self._store.vector_store_files.get(store.id, file_id)
        age = self._clock() - found.created_at
        headers = poll_headers(age, is_over=found.status is not IndexStatus.IN_PROGRESS)
        return JSONResponse(file_responses.vector_store_file(found), headers=headers)

    async def update(self, request: Request) -> JSONResponse:
        """`POST /vector_stores/{vector_store_id}/files/{file_id}`: the attributes are replaced."""
        file_id = path_id(request, "file_id")
        body = await read_body(request, UpdateAttributes)
        store = await self._vector_store(request)
        files = self._store.vector_store_files
        changed = await files.set_attributes(store.id, file_id, body.attributes or {})
        return JSONResponse(file_responses.vector_store_file(changed))

    async def delete(self, request: Request) -> JSONResponse:
        """`DELETE /vector_stores/{vector_store_id}/files/{file_id}`: the file itself stays."""
        file_id = path_id(request, "file_id")
        store = await self._vector_store(request)
        await self._store.vector_store_files.remove(store.id, file_id)
        self._indexer.notify()
        return JSONResponse(responses.deleted(file_id, "vector_store.file"))

    async def content(self, request: Request) -> JSONResponse:
        """`GET /vector_stores/{vector_store_id}/files/{file_id}/content`: its text, in order."""
        file_id = path_id(request, "file_id")
        start = content_start(request)
        store = await self._vector_store(request)
        found = await self._store.vector_store_files.get(store.id, file_id)
        texts = await self._store.chunks.texts(found.seq)
        end = start + MOST_TEXTS
        following = str(end) if end < len(texts) else None
        return JSONResponse(file_responses.file_content(texts[start:end], following))

    async def _vector_store(self, request: Request) -> VectorStore:
        store_id = path_id(request, "vector_store_id")
        return await self._store.vector_stores.get(owner(request), store_id)
