"""Requests about one thread through the official client; its errors become a history's."""

import re
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.history_errors import (
    BadAddress,
    HistoryError,
    HistoryUnavailable,
    MessageRefused,
)
from streamlit_assistant.history.thread_messages import JSON

HEADERS = {"OpenAI-Beta": "assistants=v2"}  # the client adds it to the routes it knows
KEY_HEADER = "Idempotency-Key"
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5  # seconds between looks at a run
ENDED = frozenset({"completed", "failed", "cancelled", "expired", "incomplete"})
LONGEST_QUOTE = 300  # characters of what a server says
_RUNNING = re.compile(r"while a run (\S+) is active")
_AS_IT_CAME: Any = object  # what the client is to make of an answer


class ThreadMissing(HistoryError):
    """There is no such thread, or no such message in it."""


class RunActive(HistoryUnavailable):
    """An answer is being written in the thread, which takes no messages meanwhile."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"an answer is still being written in this thread ({run_id})")
        self.run_id = run_id


class ThreadRequests:
    """What can be asked about one thread; raises `HistoryError` and nothing else."""

    def __init__(self, client: Any, thread_id: str) -> None:
        """`client` is an `openai.OpenAI`, known here by what it does."""
        if not thread_id.strip(".") or not thread_id.isascii():
            raise BadAddress(f"{thread_id!r} is no id of a thread")
        self._api = _Api(client)
        self._path = f"/threads/{quote(thread_id, safe='')}"

    def page(self, **query: Any) -> JSON:
        """Return a page of the thread's messages."""
        return self._api.ask("get", f"{self._path}/messages", params=query)

    def post(self, messages: Sequence[JSON], key: str) -> None:
        """Add messages, all of them or none; with the same key it is done only once."""
        path, headers = f"{self._path}/messages/batch", {KEY_HEADER: key}
        self._api.ask("post", path, headers, body={"messages": messages})

    def delete(self, message_id: str) -> None:
        """Remove one message."""
        self._api.ask("delete", f"{self._path}/messages/{quote(message_id, safe='')}")

    def delete_all(self) -> None:
        """Remove every message of the thread."""
        self._api.ask("delete", f"{self._path}/messages")

    def wait_for(self, run_id: str, until: float) -> None:
        """Return when a run has ended; raise `RunActive` if it has not at a time by the clock."""
        path = f"{self._path}/runs/{quote(run_id, safe='')}"
        pause = FIRST_PAUSE
        while self._api.ask("get", path).get("status") not in ENDED:
            if time.monotonic() + pause > until:
                raise RunActive(run_id)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def new_thread(client: Any) -> str:
    """Create an empty thread and return its id; raise `HistoryError`."""
    return str(_Api(client).ask("post", "/threads", body={})["id"])


class _Api:
    def __init__(self, client: Any) -> None:
        self._client = client
        self._openai = driver("openai", "langchain")

    def ask(
        self,
        method: str,
        path: str,
        headers: JSON | None = None,
        params: JSON | None = None,
        **body: Any,
    ) -> JSON:
        options = {"headers": {**HEADERS, **(headers or {})}, "params": params or {}}
        call = getattr(self._client, method)
        try:
            answer = call(path, cast_to=_AS_IT_CAME, options=options, **body)
        except self._openai.APIConnectionError as error:
            raise HistoryUnavailable(f"{self._place} does not answer") from error
        except self._openai.APIStatusError as error:
            raise self._translated(error.status_code, _told(error)) from error
        except ValueError as error:
            raise self._not_ours() from error  # it calls something JSON that is none
        if not isinstance(answer, dict):
            raise self._not_ours()
        return answer

    def _translated(self, status: int, told: str) -> HistoryError:
        if status in (401, 403):
            return HistoryError(f"{self._place} refuses the key")  # and may have quoted it
        if status == 404:
            return ThreadMissing(f"{self._place} does not find it: {told}")
        if status in (408, 409, 429) or status >= 500:
            return HistoryUnavailable(f"{self._place} cannot answer now ({status}): {told}")
        if found := _RUNNING.search(told):
            return RunActive(found[1])
        return MessageRefused(f"{self._place} refuses it: {told}")

    def _not_ours(self) -> HistoryError:
        return HistoryError(f"{self._place} does not answer as the Assistants API does")

    @property
    def _place(self) -> str:
        url = self._client.base_url
        return f"{url.scheme}://{url.netloc.decode()}{url.path.rstrip('/')}"


def _told(error: Any) -> str:
    body = error.body
    told = body["message"] if isinstance(body, dict) and "message" in body else error.message
    return str(told)[:LONGEST_QUOTE]
