"""One chat through the whole product, by the official client, and what can be seen of it."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import openai
from openai import AssistantEventHandler
from openai.types.beta.threads import Message, Run

from tests.upstream_wire import JSON

Pair = tuple[str, Any]


class Listener(AssistantEventHandler):
    """Notes the events that a program sees."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[Pair] = []
        self.text = ""
        self.arguments = ""

    @property
    def run_id(self) -> str:
        """The run that was followed."""
        return str(next(data["id"] for name, data in self.pairs if name == "thread.run.created"))

    def on_event(self, event: Any) -> None:
        """Keep an event as it was sent."""
        self.pairs.append((event.event, event.data.model_dump(mode="json", exclude_unset=True)))

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        """Put the text together."""
        self.text += delta.value or ""

    def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
        """Put the arguments together."""
        if delta.type == "function" and delta.function:
            self.arguments += delta.function.arguments or ""


@dataclass
class Outcome:
    """A run that has ended or waits, as the API tells it afterwards, and its events."""

    run: Run
    messages: list[Message]  # what the run has said
    heard: Listener
    steps: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str | None:
        """The text of the last message; None without one."""
        if not self.messages:
            return None
        return "".join(p.text.value for p in self.messages[-1].content if p.type == "text")

    @property
    def refusal(self) -> str | None:
        """What the last message refuses."""
        parts = self.messages[-1].content if self.messages else []
        return next((part.refusal for part in parts if part.type == "refusal"), None)

    @property
    def called(self) -> list[Any]:
        """The calls that wait for their outputs."""
        action = self.run.required_action
        return [] if action is None else list(action.submit_tool_outputs.tool_calls)

    @property
    def notices(self) -> list[JSON]:
        """What the run says of how its answer came about."""
        return list((self.run.model_extra or {}).get("notices", ()))


class Talk:
    """A thread with an assistant of its own."""

    def __init__(self, client: openai.OpenAI, assistant: Mapping[str, Any]) -> None:
        """`assistant` is what it has beside a model."""
        self._beta = client.beta
        self.thread_id = self._beta.threads.create().id
        self.assistant_id = self._beta.assistants.create(**{"model": "default", **assistant}).id

    def through(self, client: openai.OpenAI) -> "Talk":
        """Return the same chat, by another client."""
        same = copy(self)
        same._beta = client.beta
        return same

    def ask(self, question: str | Sequence[JSON], **run: Any) -> Outcome:
        """Post a message and follow its run to the end."""
        content: Any = question
        self._beta.threads.messages.create(self.thread_id, role="user", content=content)
        heard = Listener()
        with self._beta.threads.runs.stream(
            thread_id=self.thread_id,
            assistant_id=self.assistant_id,
            event_handler=heard,
            **run,
        ) as stream:
            stream.until_done()
        return self.look(heard.run_id, heard)

    def submit(self, outcome: Outcome, text: str = "{}") -> Outcome:
        """Hand in the output of every call, in which `{}` is its arguments, and follow on."""
        heard = Listener()
        with self._beta.threads.runs.submit_tool_outputs_stream(
            thread_id=self.thread_id,
            run_id=outcome.run.id,
            tool_outputs=outputs_for(outcome.run, text),
            event_handler=heard,
        ) as stream:
            stream.until_done()
        return self.look(outcome.run.id, heard)

    def ask_and_poll(self, question: str, **run: Any) -> Run:
        """Post a message and look now and then whether its run has ended."""
        self._beta.threads.messages.create(self.thread_id, role="user", content=question)
        return self._beta.threads.runs.create_and_poll(
            thread_id=self.thread_id, assistant_id=self.assistant_id, poll_interval_ms=20, **run
        )

    def submit_and_poll(self, run: Run, text: str = "{}") -> Run:
        """Hand in the output of every call in the same way."""
        return self._beta.threads.runs.submit_tool_outputs_and_poll(
            thread_id=self.thread_id,
            run_id=run.id,
            tool_outputs=outputs_for(run, text),
            poll_interval_ms=20,
        )

    def cancel(self, run_id: str) -> Run:
        """End a run that waits."""
        self._beta.threads.runs.cancel(run_id, thread_id=self.thread_id)
        return self._beta.threads.runs.poll(run_id, thread_id=self.thread_id, poll_interval_ms=20)

    def look(self, run_id: str, heard: Listener | None = None) -> Outcome:
        """Return a run and what it has said so far."""
        runs, thread = self._beta.threads.runs, self.thread_id
        said = self._beta.threads.messages.list(thread, run_id=run_id, order="asc", limit=100).data
        steps = runs.steps.list(run_id, thread_id=thread, order="asc").data
        run = runs.retrieve(run_id, thread_id=thread)
        return Outcome(run, said, heard or Listener(), steps)


def outputs_for(run: Run, text: str) -> list[Any]:
    """Return an output for each call that a run waits for."""
    assert run.required_action is not None, run.status
    return [
        {"tool_call_id": call.id, "output": text.format(call.function.arguments)}
        for call in run.required_action.submit_tool_outputs.tool_calls
    ]
