"""A small Assistants server that answers through respx and misbehaves as a test tells it to."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import httpx2
import openai
import pytest
import respx

from streamlit_assistant.chatbot import ChatBot
from tests.chat.fake_time import FakeTime
from tests.chat.respx_transport import RespxTransport
from tests.chat.scripted_runs import Run, RunScript, ScriptedBody, event_stream

KEY = "key-of-the-site-1234"
ASSISTANT = "asst_default"

both_modes = pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "polling"])


@dataclass(frozen=True)
class LostAnswer:
    """The request is carried out, and then the line breaks before the answer."""

    error: httpx.TransportError | httpx.Response = field(
        default_factory=lambda: httpx.ReadError("connection reset by peer")
    )


# What a request meets instead of its answer.
Mishap = httpx.Response | httpx.TransportError | LostAnswer
Handler = Callable[..., httpx.Response]


def refusal(
    status: int, message: str = "No.", *, headers: dict[str, str] | None = None, **error: str
) -> httpx.Response:
    """An error answer as the protocol has it."""
    body = {"error": {"message": message, "type": "invalid_request_error", **error}}
    return httpx.Response(
        status, json=body, headers={"x-request-id": f"req_{status}", **(headers or {})}
    )


class ScriptedAssistants:
    """Threads, messages and runs in memory; `extensions` are those of our own server.

    One of them: a POST with a key that was answered before is answered alike, and nothing is done.
    """

    def __init__(self, *scripts: RunScript, extensions: bool = True) -> None:
        self.time = FakeTime()
        self.extensions = extensions
        self.replays_everything = False  # whatever `Last-Event-ID` says
        self.scripts = list(scripts)
        self.threads: dict[str, list[dict[str, Any]]] = {}
        self.temporary: set[str] = set()
        self.runs: list[Run] = []
        self.requests: list[tuple[str, httpx.Request, float]] = []
        self.bodies: list[ScriptedBody] = []
        self._answers: dict[str, Callable[[], httpx.Response]] = {}
        self._keyed: dict[str, bytes] = {}
        self._mishaps: defaultdict[str, list[Mishap]] = defaultdict(list)
        self._ids: Counter[str] = Counter()
        self.router = respx.Router(assert_all_called=False)
        thread, run = r"/threads/(?P<thread_id>[^/]+)", r"/runs/(?P<run_id>[^/]+)"
        self._route("POST", r"/threads", self._create_thread)
        self._route("GET", r"/threads", self._list_threads)
        self._route("DELETE", thread, self._delete_thread)
        self._route("POST", rf"{thread}/messages", self._post_message)
        self._route("GET", rf"{thread}/messages", self._list_messages)
        self._route("POST", rf"{thread}/runs", self._create_run)
        self._route("GET", rf"{thread}/runs", self._list_runs)
        self._route("GET", rf"{thread}{run}", self._retrieve_run)
        self._route("GET", rf"{thread}{run}/events", self._run_events)
        self._route("POST", rf"{thread}{run}/cancel", self._cancel_run)
        self._route(None, r".*", self._anything_else)

    def chatbot(self, thread_id: str | None = None, *, key: str = KEY, **options: Any) -> ChatBot:
        """A ChatBot whose requests all come here."""
        client = openai.OpenAI(
            base_url="http://assistants.test/v1",
            api_key=key,
            http_client=httpx2.Client(transport=RespxTransport(self.router)),
        )
        return ChatBot(client, ASSISTANT, thread_id, timing=self.time.timing, **options)

    def meets(self, operation: str, *mishaps: Mishap) -> None:
        """Let the next requests of the operation go wrong, one after the other."""
        self._mishaps[operation].extend(mishaps)

    def thread(self, *texts: str) -> str:
        """Make a thread that holds these messages of a person."""
        thread_id = self._new_id("thread")
        self.threads[thread_id] = []
        for text in texts:
            self.say(thread_id, text)
        return thread_id

    def say(self, thread_id: str, text: str, **more: Any) -> dict[str, Any]:
        """Add a person's message to a thread."""
        return self._add_message(thread_id, self._new_id("msg"), "user", text, **more)

    def run(self, thread_id: str, script: RunScript | None = None) -> Run:
        """Start a run that no request asked for."""
        script = script or RunScript()
        run = Run(self._new_id("run"), thread_id, script, [*script.looks], [*script.cuts])
        self.runs.append(run)
        return run

    def times(self, operation: str) -> list[float]:
        """When the operation was asked for."""
        return [at for name, _, at in self.requests if name == operation]

    def asked(self, operation: str) -> list[httpx.Request]:
        """The requests for the operation."""
        return [request for name, request, _ in self.requests if name == operation]

    def texts(self, thread_id: str | None) -> list[tuple[str, str]]:
        """Role and text of all messages of a thread."""
        return [
            (message["role"], message["content"][0]["text"]["value"])
            for message in self.threads[str(thread_id)]
        ]

    def _route(self, method: str | None, path: str, handler: Handler) -> None:
        operation = handler.__name__.removeprefix("_")

        def answer(request: httpx.Request, **ids: str) -> httpx.Response:
            self.requests.append((operation, request, self.time.now))
            assert request.headers["openai-beta"] == "assistants=v2"
            if request.headers["authorization"] != f"Bearer {KEY}":
                message = f"Incorrect API key provided: {request.headers['authorization'][7:]}."
                return refusal(401, message, code="invalid_api_key")
            mishap = self._mishaps[operation].pop(0) if self._mishaps[operation] else None
            if isinstance(mishap, LostAnswer):
                self._carry_out(handler, request, **ids)
                mishap = mishap.error
            if isinstance(mishap, Exception):
                raise mishap
            return mishap or self._carry_out(handler, request, **ids)

        route = self.router.route(
            path__regex=rf"^/v1{path}$", **({"method": method} if method else {})
        )
        route.mock(side_effect=answer)

    def _carry_out(self, handler: Handler, request: httpx.Request, **ids: str) -> httpx.Response:
        key = request.headers.get("idempotency-key")
        assert (key is not None) == (request.method == "POST")
        if key is None:
            return handler(request, **ids)
        assert self._keyed.setdefault(key, request.content) == request.content
        if not self.extensions:
            return handler(request, **ids)
        answer = self._answers[key]() if key in self._answers else handler(request, **ids)
        answer.headers["idempotency-key"] = key
        if answer.status_code == 200:
            self._answers[key] = self._again(answer, request)
        return answer

    def _again(
        self, answer: httpx.Response, request: httpx.Request
    ) -> Callable[[], httpx.Response]:
        if answer.headers["content-type"].startswith("text/event-stream"):
            return lambda: self._stream(answer.extensions["run"], request)
        return lambda: httpx.Response(200, content=answer.content, headers=answer.headers)

    def _anything_else(self, request: httpx.Request) -> httpx.Response:
        return refusal(404, f"Invalid URL ({request.method} {request.url.path})")

    def _create_thread(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or "{}")
        thread_id = self.thread()
        for given in body.get("messages", ()):
            assert given["content"].strip()
            self._add_message(thread_id, self._new_id("msg"), given["role"], given["content"])
        if body.get("temporary"):
            self.temporary.add(thread_id)
        return httpx.Response(200, json={"id": thread_id, "object": "thread"})

    def _delete_thread(self, request: httpx.Request, thread_id: str) -> httpx.Response:
        if self.threads.pop(thread_id, None) is None:
            return refusal(404, f"No thread found with id '{thread_id}'.")
        return httpx.Response(200, json={"id": thread_id, "deleted": True})

    def _list_threads(self, request: httpx.Request) -> httpx.Response:
        if not self.extensions:
            return refusal(404, "Invalid URL (GET /v1/threads)")
        threads = [
            {"id": thread_id, "title": None, "created_at": 1, "last_active_at": number}
            for number, thread_id in enumerate(self.threads, start=100)
        ]
        limit = int(request.url.params["limit"])
        return httpx.Response(200, json={"object": "list", "data": threads[::-1][:limit]})

    def _post_message(self, request: httpx.Request, thread_id: str) -> httpx.Response:
        if thread_id not in self.threads:
            return refusal(404, f"No thread found with id '{thread_id}'.")
        if run := self._active_run(thread_id):
            message = f"Can't add messages to {thread_id} while a run {run.id} is active."
            return refusal(400, message)
        body = json.loads(request.content)
        if len(body["content"]) > 256_000:
            return refusal(
                400, "Invalid 'content': string too long.", code="string_above_max_length"
            )
        assert body["role"] == "user"
        made = self.say(thread_id, body["content"])
        return httpx.Response(200, json=made)

    def _list_messages(self, request: httpx.Request, thread_id: str) -> httpx.Response:
        if thread_id not in self.threads:
            return refusal(404, f"No thread found with id '{thread_id}'.")
        messages = self.threads[thread_id]
        headers = {"x-message-count": str(len(messages))} if self.extensions else {}
        if "run_id" in request.url.params and self.extensions:
            run_id = request.url.params["run_id"]
            messages = [message for message in messages if message["run_id"] == run_id]
        return httpx.Response(200, json=_page(messages, request.url.params), headers=headers)

    def _create_run(self, request: httpx.Request, thread_id: str) -> httpx.Response:
        if thread_id not in self.threads:
            return refusal(404, f"No thread found with id '{thread_id}'.")
        if run := self._active_run(thread_id):
            return refusal(400, f"Thread {thread_id} already has an active run {run.id}.")
        body = json.loads(request.content)
        assert body["assistant_id"] == ASSISTANT
        run = self.run(thread_id, self.scripts.pop(0) if self.scripts else None)
        if body.get("stream"):
            return self._stream(run, request)
        return httpx.Response(200, json=run.body(), headers={"x-request-id": "req_run"})

    def _list_runs(self, request: httpx.Request, thread_id: str) -> httpx.Response:
        if thread_id not in self.threads:
            return refusal(404, f"No thread found with id '{thread_id}'.")
        runs = [run.body() for run in self.runs if run.thread_id == thread_id]
        return httpx.Response(200, json=_page(runs, request.url.params))

    def _retrieve_run(self, request: httpx.Request, thread_id: str, run_id: str) -> httpx.Response:
        run = self._find_run(thread_id, run_id)
        if run is None:
            return refusal(404, f"No run found with id '{run_id}'.")
        if run.looks_left:
            body = run.body(run.looks_left.pop(0))
        else:
            self._end(run)
            body = run.body()
        headers = {"x-request-id": "req_poll"}
        waited = len(run.script.looks) - len(run.looks_left) - 1
        if body["status"] == "queued" and waited < len(run.script.places):
            headers["x-queue-position"] = str(run.script.places[waited])
        if run.script.poll_after_ms is not None:
            headers["openai-poll-after-ms"] = run.script.poll_after_ms
        return httpx.Response(200, json=body, headers=headers)

    def _run_events(self, request: httpx.Request, thread_id: str, run_id: str) -> httpx.Response:
        run = self._find_run(thread_id, run_id)
        if run is None or not self.extensions:
            return refusal(404, f"Invalid URL (GET {request.url.path})")
        seen = None if self.replays_everything else request.headers.get("last-event-id")
        return self._stream(run, request, None if seen is None else int(seen))

    def _cancel_run(self, request: httpx.Request, thread_id: str, run_id: str) -> httpx.Response:
        run = self._find_run(thread_id, run_id)
        if run is None or run.over or run.cancelled:
            status = run.status if run else "?"
            return refusal(400, f"Cannot cancel run with status '{status}'.")
        run.cancelled = True
        return httpx.Response(200, json=run.body("cancelling"))

    def _stream(self, run: Run, request: httpx.Request, after: int | None = None) -> httpx.Response:
        def chunks() -> Any:
            beating = self.extensions and "x-heartbeat-seconds" in request.headers
            for chunk in event_stream(
                run, self.time, numbered=self.extensions, beating=beating, after=after
            ):
                if run.over:
                    self._end(run)
                yield chunk

        body = ScriptedBody(chunks())
        self.bodies.append(body)
        headers = {"content-type": "text/event-stream", "x-request-id": "req_stream"}
        return httpx.Response(200, headers=headers, stream=body, extensions={"run": run})

    def _end(self, run: Run) -> None:
        run.over = True
        written = {message["id"] for message in self.threads[run.thread_id]}
        if run.script.posts_message and run.message_id not in written:
            text = "".join(run.script.words)
            self._add_message(run.thread_id, run.message_id, "assistant", text, run_id=run.id)

    def _add_message(
        self, thread_id: str, message_id: str, role: str, text: str, **more: Any
    ) -> dict[str, Any]:
        message = {
            "id": message_id,
            "object": "thread.message",
            "created_at": int(self.time.wall()),
            "role": role,
            "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
            "run_id": None,
            **more,
        }
        self.threads[thread_id].append(message)
        return message

    def _active_run(self, thread_id: str) -> Run | None:
        return next((run for run in self.runs if _locks(run, thread_id)), None)

    def _find_run(self, thread_id: str, run_id: str) -> Run | None:
        runs = [run for run in self.runs if (run.id, run.thread_id) == (run_id, thread_id)]
        return next(iter(runs), None)

    def _new_id(self, kind: str) -> str:
        self._ids[kind] += 1
        return f"{kind}_{self._ids[kind]}"


def _locks(run: Run, thread_id: str) -> bool:
    return run.thread_id == thread_id and not run.over and not run.cancelled


def _page(items: list[dict[str, Any]], params: httpx.QueryParams) -> dict[str, Any]:
    newest_first = items[::-1] if params.get("order", "desc") == "desc" else items[:]
    if "after" in params:
        ids = [item["id"] for item in newest_first]
        newest_first = newest_first[ids.index(params["after"]) + 1 :]
    limit = int(params.get("limit", 20))
    return {
        "object": "list",
        "data": newest_first[:limit],
        "has_more": len(newest_first) > limit,
    }
