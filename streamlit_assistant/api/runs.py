"""The runs' endpoints. Creating a run only inserts it; the executor does the rest."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from streamlit_assistant import responses
from streamlit_assistant.api.conversion import to_messages, to_thread
from streamlit_assistant.api.event_stream import heartbeat_seconds, stream_events
from streamlit_assistant.api.file_links import FileLinks
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.polling import (
    LONGEST_HOLD_SECONDS,
    is_poll_helper,
    poll_headers,
)
from streamlit_assistant.api.private_answers import run_answer
from streamlit_assistant.api.query import check_id, check_include, page_query, path_id
from streamlit_assistant.api.requests import (
    CreateRun,
    CreateThread,
    CreateThreadAndRun,
    read_body,
)
from streamlit_assistant.api.run_options import run_options
from streamlit_assistant.api.run_requests import ModifyRun, SubmitToolOutputs, to_run
from streamlit_assistant.errors import InvalidRequest, NotFound
from streamlit_assistant.file_records import FilledVectorStore
from streamlit_assistant.records import JSON, Assistant, Clock, Message, Run, Thread
from streamlit_assistant.runs import EventHub, RunExecutor
from streamlit_assistant.runs.channel import PAUSES
from streamlit_assistant.runs.notices import WAITING
from streamlit_assistant.runs.transitions import waits
from streamlit_assistant.store import Store

POSITION_HEADER = "x-queue-position"


class RunEndpoints:
    """Create (with a thread or on one), list, retrieve, modify, cancel, go on, follow."""

    def __init__(
        self,
        store: Store,
        links: FileLinks,
        executor: RunExecutor,
        hub: EventHub,
        clock: Clock,
        run_seconds: int,
        hosted_tools: Sequence[JSON] = (),
    ) -> None:
        """A run expires `run_seconds` after it was created.

        `hosted_tools` are offered to every assistant whose model server executes them.
        """
        self._store = store
        self._links = links
        self._executor = executor
        self._hub = hub
        self._clock = clock
        self._run_seconds = run_seconds
        self._hosted_tools = hosted_tools

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        many = "/threads/{thread_id}/runs"
        one = f"{many}/{{run_id}}"
        return [
            # Before the threads' own route, which would take `runs` for an id.
            Route("/threads/runs", self.create_with_thread, methods=["POST"]),
            Route(many, self.list, methods=["GET"]),
            Route(many, self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.modify, methods=["POST"]),
            Route(f"{one}/cancel", self.cancel, methods=["POST"]),
            Route(f"{one}/submit_tool_outputs", self.submit, methods=["POST"]),
            Route(f"{one}/events", self.events, methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        """`POST /threads/{thread_id}/runs`"""
        thread_id = path_id(request, "thread_id")
        includes_results = check_include(request)
        body = await read_body(request, CreateRun)
        thread = await self._store.threads.get(owner(request), thread_id)
        assistant = await self._assistant(request, body.assistant_id)
        now = int(self._clock())
        run = to_run(body, assistant, thread.id, now, self._run_seconds)
        options = self._options(assistant, thread)
        run = replace(run, includes_results=includes_results, options=options)
        more = to_messages(body.additional_messages or (), thread.id, now, "additional_messages")
        return await self._start(request, bool(body.stream), run, more)

    async def create_with_thread(self, request: Request) -> Response:
        """`POST /threads/runs`"""
        body = await read_body(request, CreateThreadAndRun)
        assistant = await self._assistant(request, body.assistant_id)
        now = int(self._clock())
        mine = owner(request)
        own, stores = await self._links.resources(mine, body.tool_resources, expiring=True)
        new = body.thread or CreateThread()
        links = self._links
        resources, more_stores = await links.resources(mine, new.tool_resources, expiring=True)
        thread, messages = to_thread(new, mine, now, resources, "thread.")
        run = to_run(body, assistant, thread.id, now, self._run_seconds, own)
        run = replace(run, options=self._options(assistant, thread))
        made = [*stores, *more_stores]
        return await self._start(request, bool(body.stream), run, messages, thread, made)

    async def list(self, request: Request) -> JSONResponse:
        """`GET /threads/{thread_id}/runs`"""
        thread = await self._store.threads.get(owner(request), path_id(request, "thread_id"))
        page = await self._store.runs.page(thread.id, page_query(request))
        return JSONResponse(responses.page(page, responses.run))

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /threads/{thread_id}/runs/{run_id}`; says when to ask again."""
        run = await self._run(request)
        if run.status not in PAUSES and is_poll_helper(request.headers):
            # It would ask again and again: it is answered once there is something to say.
            await self._hub.until_paused(run, LONGEST_HOLD_SECONDS)
            run = await self._run(request)
        headers = poll_headers(self._executor.age(run))
        if waits(run) and (position := await self._store.queue.position(run.id)) is not None:
            headers[POSITION_HEADER] = str(position)
        return run_answer(run, headers)

    async def modify(self, request: Request) -> JSONResponse:
        """`POST /threads/{thread_id}/runs/{run_id}`: metadata only, in any status."""
        run = await self._run(request)
        body = await read_body(request, ModifyRun)
        sent = "metadata" in body.model_fields_set
        changes = {"metadata": body.metadata or {}} if sent else {}
        changed = await self._store.runs.modify(run.thread_id, run.id, changes)
        self._executor.note_metadata(run.id, changed.metadata)
        return run_answer(changed)

    async def submit(self, request: Request) -> Response:
        """`POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs`"""
        run = await self._run(request)
        body = await read_body(request, SubmitToolOutputs)
        heartbeat = heartbeat_seconds(request)
        outputs = [(given.tool_call_id, given.output or "") for given in body.tool_outputs]
        resumed = await self._executor.submit(run.thread_id, run.id, outputs)
        if body.stream:
            return self._streamed(request, resumed, heartbeat, resumed.last_event)
        return run_answer(resumed)

    async def cancel(self, request: Request) -> JSONResponse:
        """`POST /threads/{thread_id}/runs/{run_id}/cancel`"""
        run = await self._run(request)
        return run_answer(await self._executor.cancel(run.thread_id, run.id))

    async def events(self, request: Request) -> Response:
        """`GET /threads/{thread_id}/runs/{run_id}/events`, our extension.

        Replays the run's events behind `Last-Event-ID` (or `?after=`), then goes on live.
        """
        run = await self._run(request)
        return self._streamed(request, run, heartbeat_seconds(request), _last_seen(request))

    async def _start(
        self,
        request: Request,
        stream: bool,
        run: Run,
        messages: Sequence[Message],
        thread: Thread | None = None,
        stores: Sequence[FilledVectorStore] = (),
    ) -> Response:
        # Read before the run exists: a request that is refused must not leave one behind.
        heartbeat = heartbeat_seconds(request)
        await self._links.check_images(run.owner, messages)
        await self._executor.create(run, messages, thread, stores)
        self._links.stored(messages, stores)
        if stream:
            return self._streamed(request, run, heartbeat)
        return run_answer(run)

    def _streamed(self, request: Request, run: Run, heartbeat: float, after: int = 0) -> Response:
        standing = partial(self._standing, run)
        stream = stream_events(self._hub.follow, run, heartbeat, after, standing)
        # Where the same can be had again, should this answer get lost.
        here = f"/threads/{run.thread_id}/runs/{run.id}/events?after={after}"
        stream.headers["Content-Location"] = request.scope.get("root_path", "") + here
        return stream

    async def _standing(self, run: Run) -> str | None:
        position = await self._store.queue.position(run.id)
        if position is not None:
            return f"queued {position}"
        try:
            now = await self._store.runs.get(run.thread_id, run.id)
        except NotFound:
            return None  # the stream will say so
        rest = (each for each in now.notices if each["code"] == WAITING)
        return next((f"resting {each['details'].get('seconds', 0)}" for each in rest), None)

    def _options(self, assistant: Assistant, thread: Thread) -> JSON:
        return run_options(assistant, self._hosted_tools, temporary=thread.temporary)

    async def _assistant(self, request: Request, assistant_id: str) -> Assistant:
        check_id(request, "assistant_id", assistant_id)
        return await self._store.assistants.get(owner(request), assistant_id)

    async def _run(self, request: Request) -> Run:
        run_id = path_id(request, "run_id")
        thread_id = path_id(request, "thread_id")
        return await self._store.runs.of(owner(request), thread_id, run_id)


def _last_seen(request: Request) -> int:
    given = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise InvalidRequest(
            f"Invalid 'after': '{given[:40]}'. Expected the number of an event, from its 'id'.",
            param="after",
            code="invalid_value",
        )
    return int(given)
