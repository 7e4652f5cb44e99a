"""Objects of every kind, made when they are needed."""

import time
from dataclasses import dataclass
from typing import Any

import openai
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message, Run

LONGEST = 20.0  # seconds until a run or a file is where it should be
ASSISTANT = "asst_default"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ASK_FOR_WEATHER = 'call get_weather({"city": "Paris"})'
ASK_FOR_TWO = 'call get_weather({"city": "Paris"}) and call get_weather({"city": "Lima"})'
TEXT = b"The harvest moon festival is held in the valley of Arden every autumn."


@dataclass(frozen=True)
class World:
    """What an operation needs to be there before it can be called."""

    client: openai.OpenAI

    def assistant(self, **fields: Any) -> Assistant:
        """A persona with a function."""
        return self.client.beta.assistants.create(
            **{"model": "scripted", "name": "Tutor", "tools": [WEATHER], **fields}
        )

    def thread(self, *texts: str) -> Thread:
        """A thread with these questions."""
        return self.client.beta.threads.create(
            messages=[{"role": "user", "content": text} for text in texts]
        )

    def message(self, text: str = "hello") -> Message:
        """A question in a thread of its own."""
        return self.client.beta.threads.messages.create(self.thread().id, role="user", content=text)

    def ended_run(self, text: str = "hello") -> Run:
        """A run that is completed."""
        return self.until_ended(
            self.client.beta.threads.runs.create(self.thread(text).id, assistant_id=ASSISTANT)
        )

    def waiting_run(self, text: str = ASK_FOR_WEATHER) -> Run:
        """A run that waits for what its functions return."""
        run = self.client.beta.threads.runs.create(
            self.thread(text).id, assistant_id=ASSISTANT, tools=[WEATHER]
        )
        waiting = self.until_ended(run)
        assert waiting.status == "requires_action", waiting.status
        return waiting

    def until_ended(self, run: Run) -> Run:
        """The run as it is when it has ended or waits."""
        deadline = time.monotonic() + LONGEST
        while run.status in ("queued", "in_progress", "cancelling"):
            assert time.monotonic() < deadline, f"the run is still {run.status}"
            time.sleep(0.01)
            run = self.client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        return run

    def call_ids(self, run: Run) -> list[str]:
        """The calls that a waiting run waits for."""
        assert run.required_action is not None
        return [call.id for call in run.required_action.submit_tool_outputs.tool_calls]

    def outputs(self, run: Run) -> Any:
        """What its functions returned, for all of the calls."""
        return [{"tool_call_id": call_id, "output": "sunny"} for call_id in self.call_ids(run)]

    def file(self, name: str = "note.txt", content: bytes = TEXT) -> str:
        """A file for assistants."""
        return self.client.files.create(file=(name, content), purpose="assistants").id

    def upload(self) -> str:
        """An upload that waits for its parts."""
        return self.client.uploads.create(
            bytes=len(TEXT), filename="note.txt", mime_type="text/plain", purpose="assistants"
        ).id

    def part(self, upload_id: str) -> str:
        """The whole of an upload as its one part."""
        return self.client.uploads.parts.create(upload_id, data=TEXT).id

    def vector_store(self, *file_ids: str) -> str:
        """A store in which these files are indexed."""
        store = self.client.vector_stores.create(name="Notes", file_ids=list(file_ids))
        deadline = time.monotonic() + LONGEST
        while store.file_counts.in_progress:
            assert time.monotonic() < deadline, "the files are still being indexed"
            time.sleep(0.01)
            store = self.client.vector_stores.retrieve(store.id)
        assert store.file_counts.completed == len(file_ids)
        return store.id

    def file_in_store(self) -> tuple[str, str]:
        """A store and a file that is indexed in it."""
        file_id = self.file()
        return self.vector_store(file_id), file_id

    def batch(self) -> tuple[str, str]:
        """A store and a batch of files that is being put into it."""
        store_id = self.vector_store()
        batch = self.client.vector_stores.file_batches.create(store_id, file_ids=[self.file()])
        return store_id, batch.id
