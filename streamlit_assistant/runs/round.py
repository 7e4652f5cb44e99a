"""One round of a run: what the model says becomes a message, what it calls a step."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    RefusalDelta,
    TextDelta,
    Usage,
)
from streamlit_assistant.records import JSON, Run, StepStatus
from streamlit_assistant.runs import endings
from streamlit_assistant.runs.answer import Answer
from streamlit_assistant.runs.call_step import CallStep
from streamlit_assistant.runs.delta_fold import FILE_SEARCH, FUNCTION, REFUSAL, TEXT
from streamlit_assistant.runs.endings import Ending
from streamlit_assistant.runs.journal import Closing, Journal


class Round:
    """What one request to the model brings. `answer` and `calls` are what is still open."""

    def __init__(
        self,
        run: Run,
        journal: Journal,
        now: Callable[[], int],
        sources: Mapping[str, str],
        search_name: str | None,
    ) -> None:
        """`search_name`: the function by which the model asks for a file search."""
        self.answer: Answer | None = None
        self.calls: CallStep | None = None
        self.usage: JSON | None = None
        self.finish: FinishReason | None = None
        self.said = 0  # characters, of text and of arguments
        self._run = run
        self._journal = journal
        self._now = now
        self._sources = sources
        self._search_name = search_name
        self._held = ""  # blanks that may come to nothing, or what was said after a call

    async def take(self, delta: Delta) -> None:
        """Show and keep what the model says."""
        match delta:
            case TextDelta(text):
                await self._say(TEXT, text)
            case RefusalDelta(text):
                await self._say(REFUSAL, text)
            case CallStart(_, call_id, name):
                await self._call(call_id, name)
            case CallArguments(index, text) if self.calls is not None:
                self.said += len(text)
                self.calls.append(index, text, self._journal)
            case Usage(prompt_tokens, completion_tokens):
                self.usage = usage(prompt_tokens, completion_tokens)
            case Finish(reason):
                self.finish = reason

    async def end(self) -> None:
        """Check that the answer is whole; raise `UpstreamError` if it is not."""
        if self.finish is None:
            raise UpstreamError("The model server closed the connection before the answer ended.")
        if self.calls is not None:
            if self._held.strip():
                await untorn(self._say_afterwards())
        elif self.answer is None and self.finish is FinishReason.STOP:
            raise UpstreamError("The model server sent an empty answer.")

    def close(self, ending: Ending, now: int) -> Closing:
        """Return how what is open ends with the run."""
        closing = Closing()
        if self.answer is not None:
            closing += self.answer.end(ending, None if self.calls else self.usage, now)
        if self.calls is not None:
            if ending.step is StepStatus.COMPLETED:
                # Cut off by a limit: calls that nobody will answer are not completed.
                ending = replace(ending, step=StepStatus.CANCELLED)
            closing += self.calls.end(ending, self.usage, now)
        return closing

    async def _say(self, kind: str, piece: str) -> None:
        self.said += len(piece)
        if self.calls is not None:
            # Said after the first call: it waits, because the calls' step is open.
            self._held += piece
            return
        if self.answer is None:
            # Some servers send a line break before a call: that is no message.
            self._held += piece
            if not self._held.strip():
                return
            piece, self._held = self._held, ""
            await untorn(self._begin_answer())
        if self.answer is not None:
            self.answer.append(kind, piece, self._journal)

    async def _begin_answer(self) -> None:
        now = self._now()
        self.answer = await Answer.begin(self._run, self._journal, now, self._sources)

    async def _call(self, call_id: str, name: str) -> None:
        if self.calls is None:
            self._held = ""
            await untorn(self._begin_calls())
        if self.calls is not None:
            kind = FILE_SEARCH if name == self._search_name else FUNCTION
            self.calls.open(kind, call_id, name, self._journal)

    async def _begin_calls(self) -> None:
        await self._close_answer()
        self.calls = await CallStep.begin(self._run, self._journal, self._now())

    async def _close_answer(self) -> None:
        if self.answer is not None:
            closing = self.answer.end(endings.COMPLETED, None, self._now())
            await self._journal.commit(closing.emissions, {}, changed=closing.records)
            self.answer = None

    async def _say_afterwards(self) -> None:
        await self._begin_answer()
        if self.answer is not None:
            self.answer.append(TEXT, self._held, self._journal)
        await self._close_answer()


def usage(prompt_tokens: int, completion_tokens: int) -> JSON:
    """Return the protocol's usage object."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def added_usage(one: JSON | None, other: JSON | None) -> JSON | None:
    """Return the sum of what is known."""
    if one is None or other is None:
        return one or other
    return {name: one[name] + other[name] for name in one}


async def untorn(work: Coroutine[None, None, None]) -> None:
    """Await work that a cancellation may follow but not cut in two.

    A transaction may have been committed although its waiter was cancelled; what this process
    remembers must not differ from what the database holds.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error  # and perhaps again: a cancel and an expiry may come together
    task.result()
    if cancelled is not None:
        raise cancelled
