"""One round of a run: what the model says becomes a message, what it calls a step."""

import re
from collections.abc import Callable
from dataclasses import replace

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    ModelRequest,
    RefusalDelta,
    TextDelta,
    Usage,
)
from streamlit_assistant.records import JSON, Run, StepStatus, new_id
from streamlit_assistant.runs import endings
from streamlit_assistant.runs.answer import Answer
from streamlit_assistant.runs.call_step import CallStep
from streamlit_assistant.runs.delta_fold import FILE_SEARCH, FUNCTION, REFUSAL, TEXT
from streamlit_assistant.runs.endings import Ending
from streamlit_assistant.runs.history import RunHistory
from streamlit_assistant.runs.journal import Closing, Journal
from streamlit_assistant.runs.prompt import estimated_tokens
from streamlit_assistant.runs.token_usage import usage
from streamlit_assistant.token_estimate import tokens_of
from streamlit_assistant.untorn import untorn

# Ids of servers that count from 0 in every answer: the next answer has them again.
_COUNTED = re.compile(r"[a-z_]*\d{1,6}")


class Round:
    """What one request to the model brings. `answer` and `calls` are what is still open."""

    def __init__(
        self,
        run: Run,
        journal: Journal,
        now: Callable[[], int],
        history: RunHistory,
        request: ModelRequest,
        search_name: str | None,
    ) -> None:
        """`search_name`: the function by which the model asks for a file search."""
        self.answer: Answer | None = None
        self.calls: CallStep | None = None
        self.usage: JSON | None = None
        self.finish: FinishReason | None = None
        self.said = 0  # bytes, of text and of arguments
        self._run = run
        self._journal = journal
        self._now = now
        self._history = history
        self._request = request
        self._search_name = search_name
        self._held: list[tuple[str, str]] = []  # blanks to begin with, or said after a call

    @property
    def tokens(self) -> JSON:
        """What the round cost: as the server counted, or about so where it did not."""
        return self.usage or usage(estimated_tokens(self._request), tokens_of(self.said))

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
                self.said += len(text.encode())
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
            if not self._holds_blanks:
                await untorn(self._say_afterwards())
        elif self.answer is None and self.finish is FinishReason.STOP:
            raise UpstreamError("The model server sent an empty answer.")

    def close(self, ending: Ending, now: int) -> Closing:
        """Return how what is open ends with the run."""
        closing = Closing()
        if self.answer is not None:
            closing += self.answer.end(ending, None if self.calls else self.tokens, now)
        if self.calls is not None:
            if ending.step is StepStatus.COMPLETED:
                # Cut off by a limit: calls that nobody will answer are not completed.
                ending = replace(ending, step=StepStatus.CANCELLED)
            closing += self.calls.end(ending, self.tokens, now)
        return closing

    async def _say(self, kind: str, piece: str) -> None:
        self.said += len(piece.encode())
        if self.answer is not None:
            self.answer.append(kind, piece, self._journal)
            return
        # After the first call everything waits, because the calls' step is open. Before it, some
        # servers send a line break: that is no message.
        self._held.append((kind, piece))
        if self.calls is None and not self._holds_blanks:
            await untorn(self._begin_answer())

    @property
    def _holds_blanks(self) -> bool:
        return not any(piece.strip() for _, piece in self._held)

    async def _begin_answer(self) -> None:
        now = self._now()
        self.answer = await Answer.begin(self._run, self._journal, now, self._history.sources)
        for kind, piece in self._held:
            self.answer.append(kind, piece, self._journal)
        self._held.clear()

    async def _call(self, call_id: str, name: str) -> None:
        if self.calls is None:
            self._held.clear()
            await untorn(self._begin_calls())
        if self.calls is not None:
            kind = FILE_SEARCH if name == self._search_name else FUNCTION
            taken = call_id in self._history.call_ids or _COUNTED.fullmatch(call_id)
            unique = new_id("call") if taken else call_id
            self.calls.open(kind, unique, name, self._journal)

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
        await self._close_answer()
