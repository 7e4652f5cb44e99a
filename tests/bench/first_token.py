"""What our API adds to the time until the first token, over asking the model server directly.

Run with `python -m tests.bench.first_token`. Limit: 15 ms in the median. Both sides are asked with
the official client for the same conversation, in turns, so that whatever else the machine does
meets both.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TypeVar

import openai
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.thread_create_params import Message
from openai.types.chat import ChatCompletionChunk

from tests.bench.figures import milliseconds, progress, show, spread
from tests.start_process import Site, free_port
from tests.upstream import model_process

KEY = "key-of-the-benchmark"
ASSISTANT = "asst_default"
LIMIT = 0.015  # seconds
LONG = 200  # messages
PROMPT = "Good morning"
WARM_UPS = 5

Attempt = Callable[[], float]
Item = TypeVar("Item")


def main() -> None:
    """Measure and print."""
    warnings.filterwarnings("ignore", "The Assistants API is deprecated", DeprecationWarning)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (direct, site):
        short, long = Direct(direct, 1), Direct(direct, LONG)
        # Each way with the one that asks the model server for the same conversation.
        ways: dict[str, tuple[Attempt, str]] = {
            "directly": (short, "directly"),
            "a run": (Run(site, 1), "directly"),
            "a message, then a run": (MessageAndRun(site, 1), "directly"),
            "create-and-run": (CreateAndRun(site), "directly"),
            f"directly, {LONG} messages": (long, f"directly, {LONG} messages"),
            f"a run, {LONG} messages": (Run(site, LONG), f"directly, {LONG} messages"),
        }
        measured = measure({way: attempt for way, (attempt, _) in ways.items()}, times)
    show(
        f"Time to the first token, {times} times each (limit: {milliseconds(LIMIT)} added)",
        ["asked", "p50", "p95", "max", "added in the median"],
        [
            [way, *spread(measured[way]), added(measured[way], measured[base])]
            for way, (_, base) in ways.items()
        ],
    )


def added(seconds: list[float], base: list[float]) -> str:
    """The difference of the medians; nothing for the base itself."""
    return "" if seconds is base else milliseconds(median(seconds) - median(base))


@contextmanager
def served(folder: Path) -> Iterator[tuple[openai.OpenAI, openai.OpenAI]]:
    """Start the model server and our site; give a client of each."""
    with ExitStack() as stack:
        model_url = stack.enter_context(model_process(free_port()))
        site = Site.at(folder, OPENAI_BASE_URL=model_url, ASSISTANT_API_KEY=KEY)
        stack.enter_context(site.started())
        yield (
            openai.OpenAI(base_url=model_url, api_key="none"),
            openai.OpenAI(base_url=f"{site.url}/v1", api_key=KEY),
        )


def measure(ways: dict[str, Attempt], times: int) -> dict[str, list[float]]:
    """Try every way in turns; the first rounds do not count."""
    measured: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(-WARM_UPS, times):
        if number % 25 == 0:
            progress(f"round {number} of {times}")
        for way, attempt in ways.items():
            seconds = attempt()
            if number >= 0:
                measured[way].append(seconds)
    return measured


class Direct:
    """The model server itself, sent so many messages."""

    def __init__(self, client: openai.OpenAI, messages: int) -> None:
        self._client = client
        self._messages = messages

    def __call__(self) -> float:
        """Return the seconds until the first token."""
        began = time.perf_counter()
        with self._client.chat.completions.create(
            model="scripted",
            messages=[{"role": "user", "content": PROMPT}] * self._messages,
            stream=True,
        ) as chunks:
            return first(chunks, _has_text) - began


class Run:
    """A run on a thread that holds so many messages."""

    def __init__(self, client: openai.OpenAI, messages: int) -> None:
        self._client = client
        self._messages = messages

    def __call__(self) -> float:
        """Return the seconds until the first token, without making the thread."""
        thread_id = self._thread(self._messages)
        began = time.perf_counter()
        return self._first_token(thread_id) - began

    def _thread(self, messages: int) -> str:
        return self._client.beta.threads.create(messages=[_message()] * messages).id

    def _first_token(self, thread_id: str) -> float:
        with self._client.beta.threads.runs.create(
            thread_id, assistant_id=ASSISTANT, stream=True
        ) as events:
            return first(events, _is_delta)


class MessageAndRun(Run):
    """What the page does: post the message, then create the run."""

    def __call__(self) -> float:
        """Return the seconds until the first token, posting the message included."""
        thread_id = self._thread(self._messages - 1)
        began = time.perf_counter()
        self._client.beta.threads.messages.create(thread_id, role="user", content=PROMPT)
        return self._first_token(thread_id) - began


class CreateAndRun:
    """Thread, message and run in one request."""

    def __init__(self, client: openai.OpenAI) -> None:
        self._client = client

    def __call__(self) -> float:
        """Return the seconds until the first token."""
        began = time.perf_counter()
        with self._client.beta.threads.create_and_run(
            assistant_id=ASSISTANT, thread={"messages": [_message()]}, stream=True
        ) as events:
            return first(events, _is_delta) - began


def first(items: Iterable[Item], wanted: Callable[[Item], bool]) -> float:
    """Return when the first such item came; what follows is read, so that the answer ends."""
    times = [time.perf_counter() for item in items if wanted(item)]
    return times[0]


def _message() -> Message:
    return {"role": "user", "content": PROMPT}


def _has_text(chunk: ChatCompletionChunk) -> bool:
    return bool(chunk.choices and chunk.choices[0].delta.content)


def _is_delta(event: AssistantStreamEvent) -> bool:
    return event.event == "thread.message.delta"


if __name__ == "__main__":
    main()
