"""The messages' endpoints."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import responses
from streamlit_assistant.api.conversion import to_message, to_messages
from streamlit_assistant.api.file_links import FileLinks
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.private_answers import message_answer, messages_answer
from streamlit_assistant.api.query import check_id, page_query, path_id
from streamlit_assistant.api.requests import (
    CreateMessage,
    CreateMessages,
    ModifyMessage,
    read_body,
)
from streamlit_assistant.records import JSON, Clock, Page
from streamlit_assistant.runs import RunExecutor
from streamlit_assistant.store import Store

COUNT_HEADER = "x-message-count"  # our extension: how long the thread is, without paging through it


class MessageEndpoints:
    """Create, list, retrieve, modify, delete; our extension: several at once, and all of them."""

    def __init__(self, store: Store, links: FileLinks, executor: RunExecutor, clock: Clock) -> None:
        self._store = store
        self._links = links
        self._executor = executor
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        many = "/threads/{thread_id}/messages"
        one = f"{many}/{{message_id}}"
        return [
            Route(many, self.list, methods=["GET"]),
            Route(many, self.create, methods=["POST"]),
            Route(many, self.delete_all, methods=["DELETE"]),
            # Before the messages' own route, which would take `batch` for an id.
            Route(f"{many}/batch", self.create_batch, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.modify, methods=["POST"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> JSONResponse:
        """`GET /threads/{thread_id}/messages`"""
        thread = await self._store.threads.get(owner(request), path_id(request, "thread_id"))
        run_id = request.query_params.get("run_id")
        if run_id is not None:
            check_id(request, "run_id", run_id)
        query = page_query(request, "run_id")
        page = await self._store.messages.page(thread.id, query, run_id)
        headers = {COUNT_HEADER: str(thread.message_count)}
        return messages_answer(page, thread, headers)

    async def create(self, request: Request) -> JSONResponse:
        """`POST /threads/{thread_id}/messages`"""
        thread_id = path_id(request, "thread_id")
        body = await read_body(request, CreateMessage)
        thread = await self._store.threads.get(owner(request), thread_id)
        message = to_message(body, thread.id, int(self._clock()))
        await self._links.check_images(thread.owner, [message])
        held = await self._store.messages.add(message)
        self._links.stored([message])
        return message_answer(held, thread)

    async def create_batch(self, request: Request) -> JSONResponse:
        """`POST /threads/{thread_id}/messages/batch`: all of them in a row, or none."""
        thread_id = path_id(request, "thread_id")
        body = await read_body(request, CreateMessages)
        thread = await self._store.threads.get(owner(request), thread_id)
        messages = to_messages(body.messages, thread.id, int(self._clock()), "messages")
        await self._links.check_images(thread.owner, messages)
        held = await self._store.messages.add_all(thread.id, messages)
        self._links.stored(messages)
        return messages_answer(Page(held, has_more=False), thread)

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /threads/{thread_id}/messages/{message_id}`"""
        thread_id = path_id(request, "thread_id")
        message_id = path_id(request, "message_id")
        thread = await self._store.threads.get(owner(request), thread_id)
        message = await self._store.messages.get(thread.id, message_id)
        return message_answer(message, thread)

    async def modify(self, request: Request) -> JSONResponse:
        """`POST /threads/{thread_id}/messages/{message_id}`: only metadata can change."""
        thread_id = path_id(request, "thread_id")
        message_id = path_id(request, "message_id")
        body = await read_body(request, ModifyMessage)
        thread = await self._store.threads.get(owner(request), thread_id)
        changes: JSON = {}
        if "metadata" in body.model_fields_set:
            changes["metadata"] = body.metadata or {}
        message = await self._store.messages.modify(thread.id, message_id, changes)
        if message.run_id is not None:
            self._executor.note_metadata(message.run_id, message.metadata, message.id)
        return message_answer(message, thread)

    async def delete(self, request: Request) -> JSONResponse:
        """`DELETE /threads/{thread_id}/messages/{message_id}`"""
        thread_id = path_id(request, "thread_id")
        message_id = path_id(request, "message_id")
        thread = await self._store.threads.get(owner(request), thread_id)
        await self._store.messages.delete(thread.id, message_id)
        return JSONResponse(responses.deleted(message_id, "thread.message"))

    async def delete_all(self, request: Request) -> JSONResponse:
        """`DELETE /threads/{thread_id}/messages`: the thread stays, as if new."""
        thread_id = path_id(request, "thread_id")
        thread = await self._store.threads.get(owner(request), thread_id)
        await self._store.messages.delete_all(thread.id)
        return JSONResponse(responses.deleted(thread.id, "thread.messages"))
