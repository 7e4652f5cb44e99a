"""The endpoints of batches of files that are put into a vector store together."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import file_responses, responses
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.polling import poll_headers
from streamlit_assistant.api.query import page_query, path_id
from streamlit_assistant.api.requests import read_body
from streamlit_assistant.api.vector_store_conversion import to_batch_files
from streamlit_assistant.api.vector_store_query import status_filter
from streamlit_assistant.api.vector_store_requests import CreateFileBatch
from streamlit_assistant.file_records import FileBatch
from streamlit_assistant.files.indexer import Indexer
from streamlit_assistant.records import Clock, new_id
from streamlit_assistant.store import Store


class FileBatchEndpoints:
    """Create, retrieve, cancel, list the files."""

    def __init__(self, store: Store, indexer: Indexer, clock: Clock) -> None:
        self._store = store
        self._indexer = indexer
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        many = "/vector_stores/{vector_store_id}/file_batches"
        one = f"{many}/{{batch_id}}"
        return [
            Route(many, self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(f"{one}/cancel", self.cancel, methods=["POST"]),
            Route(f"{one}/files", self.files, methods=["GET"]),
        ]

    async def create(self, request: Request) -> JSONResponse:
        """`POST /vector_stores/{vector_store_id}/file_batches`"""
        store_id = path_id(request, "vector_store_id")
        body = await read_body(request, CreateFileBatch)
        now = int(self._clock())
        batch = FileBatch(new_id("vsfb"), store_id, now)
        files = to_batch_files(body, store_id, now)
        made = await self._store.file_batches.add(owner(request), batch, files)
        self._indexer.notify()
        return JSONResponse(file_responses.file_batch(made))

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /vector_stores/{vector_store_id}/file_batches/{batch_id}`"""
        found = await self._batch(request)
        age = self._clock() - found.created_at
        headers = poll_headers(age, is_over=not found.in_progress)
        return JSONResponse(file_responses.file_batch(found), headers=headers)

    async def cancel(self, request: Request) -> JSONResponse:
        """`POST /vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel`"""
        batch = await self._batch(request)
        cancelled = await self._store.file_batches.cancel(batch.vector_store_id, batch.id)
        self._indexer.notify()
        return JSONResponse(file_responses.file_batch(cancelled))

    async def files(self, request: Request) -> JSONResponse:
        """`GET /vector_stores/{vector_store_id}/file_batches/{batch_id}/files`"""
        query, status = page_query(request, "filter"), status_filter(request)
        batch = await self._batch(request)
        page = await self._store.file_batches.page_files(batch, query, status)
        return JSONResponse(responses.page(page, file_responses.vector_store_file))

    async def _batch(self, request: Request) -> FileBatch:
        batch_id = path_id(request, "batch_id")
        store_id = path_id(request, "vector_store_id")
        store = await self._store.vector_stores.get(owner(request), store_id)
        return await self._store.file_batches.get(store.id, batch_id)
