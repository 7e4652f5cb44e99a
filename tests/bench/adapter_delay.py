"""What our adapters add to the time until the first token, beside OpenAI's client alone.

Run with `python -m tests.bench.adapter_delay`. Limit: 5 ms in the median. Both ask the same model
server for the same answer, in turns, so that whatever else the machine does meets both.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from statistics import median
from typing import TypeVar

import openai

from streamlit_assistant.providers.base import Delta, ModelRequest, PromptMessage, TextDelta
from streamlit_assistant.providers.connection import Connection
from streamlit_assistant.providers.upstream import Api, Manner, Upstream
from tests.bench.figures import milliseconds, progress, show, spread
from tests.start_process import free_port
from tests.upstream import model_process

LIMIT = 0.005  # seconds
MODEL = "scripted"
PROMPT = "Good morning"
INSTRUCTIONS = "You are a helpful assistant."
WARM_UPS = 10
APIS: tuple[Api, ...] = ("chat", "responses")

Attempt = Callable[[], Awaitable[float]]
Item = TypeVar("Item")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=300)
    times = parser.parse_args().times
    with model_process(free_port()) as base_url:
        measured = asyncio.run(measure(base_url, times))
    rows = []
    for api in APIS:
        raw, ours = measured[f"{api}, OpenAI's client"], measured[f"{api}, our adapter"]
        rows.append([f"{api}, OpenAI's client", *spread(raw), ""])
        rows.append(
            [f"{api}, our adapter", *spread(ours), milliseconds(median(ours) - median(raw))]
        )
    show(
        f"Time to the first token, {times} times each (limit: {milliseconds(LIMIT)} added)",
        ["asked by", "p50", "p95", "max", "added in the median"],
        rows,
    )


async def measure(base_url: str, times: int) -> dict[str, list[float]]:
    """Try every way in turns; the first rounds do not count."""
    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
    connections = {api: Connection(Upstream(base_url, "none"), Manner(api=api)) for api in APIS}
    ways: dict[str, Attempt] = {
        "chat, OpenAI's client": RawChat(client),
        "responses, OpenAI's client": RawResponses(client),
        **{f"{api}, our adapter": Ours(known) for api, known in connections.items()},
    }
    measured: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(-WARM_UPS, times):
        if number % 100 == 0:
            progress(f"round {number} of {times}")
        for way, attempt in ways.items():
            seconds = await attempt()
            if number >= 0:
                measured[way].append(seconds)
    await client.close()
    for connection in connections.values():
        await connection.close()
    return measured


class RawChat:
    """Chat Completions by OpenAI's client."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client

    async def __call__(self) -> float:
        """Return the seconds until the first token."""
        began = time.perf_counter()
        chunks = await self._client.chat.completions.create(
            model=MODEL,
            messages=[
                {"role": "system", "content": INSTRUCTIONS},
                {"role": "user", "content": PROMPT},
            ],
            stream=True,
            stream_options={"include_usage": True},
        )
        return await first(chunks, lambda c: bool(c.choices and c.choices[0].delta.content)) - began


class RawResponses:
    """The Responses API by OpenAI's client."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client

    async def __call__(self) -> float:
        """Return the seconds until the first token."""
        began = time.perf_counter()
        events = await self._client.responses.create(
            model=MODEL,
            instructions=INSTRUCTIONS,
            input=[{"role": "user", "content": PROMPT}],
            store=False,
            stream=True,
        )
        return await first(events, lambda e: e.type == "response.output_text.delta") - began


class Ours:
    """One of our adapters."""

    def __init__(self, connection: Connection) -> None:
        self._provider = connection.provider

    async def __call__(self) -> float:
        """Return the seconds until the first token."""
        text = {"type": "text", "text": {"value": PROMPT, "annotations": []}}
        request = ModelRequest(MODEL, INSTRUCTIONS, [PromptMessage("user", [text])])
        began = time.perf_counter()
        return await first(self._provider.stream(request), _is_text) - began


async def first(items: AsyncIterator[Item], wanted: Callable[[Item], bool]) -> float:
    """Return when the first such item came; what follows is read, so that the answer ends."""
    times = [time.perf_counter() async for item in items if wanted(item)]
    return times[0]


def _is_text(delta: Delta) -> bool:
    return isinstance(delta, TextDelta)


if __name__ == "__main__":
    main()
