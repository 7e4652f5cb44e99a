"""One round of a run: what the model says becomes messages, what it calls run steps."""

import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    Annotated,
    CallArguments,
    CallKind,
    CallResult,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    ImageMade,
    MessageStart,
    ModelRequest,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
    Usage,
)
from streamlit_assistant.records import JSON, Run, new_id
from streamlit_assistant.runs import endings
from streamlit_assistant.runs.answer import Answer
from streamlit_assistant.runs.call_fold import FILE_SEARCH
from streamlit_assistant.runs.call_step import CallStep
from streamlit_assistant.runs.delta_fold import REFUSAL, TEXT
from streamlit_assistant.runs.endings import Ending
from streamlit_assistant.runs.history import RunHistory
from streamlit_assistant.runs.hosted_results import annotation_of, kind_of, outputs_of
from streamlit_assistant.runs.journal import Closing, Journal
from streamlit_assistant.runs.produced_files import ProducedFiles
from streamlit_assistant.runs.prompt import estimated_tokens
from streamlit_assistant.runs.token_usage import counted, estimated_usage
from streamlit_assistant.token_estimate import tokens_of
from streamlit_assistant.untorn import untorn

# Ids of servers that count from 0 in every answer: the next answer has them again.
_COUNTED = re.compile(r"[a-z_]*\d{1,6}")
MOST_REASONING = 200_000  # characters that are kept of what a model thought

Shown = Answer | CallStep
S = TypeVar("S", Answer, CallStep)
Said = MessageStart | TextDelta | RefusalDelta | Annotated | ImageMade


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
        files: ProducedFiles,
        earlier: Iterable[Shown] = (),
    ) -> None:
        """`search_name`: the function by which the model asks for a file search.

        `earlier` is what another attempt has shown of the same answer, in order.
        """
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
        self._files = files
        self._earlier = deque(earlier)
        self._steps = 0  # begun before the one that is open
        self._places: dict[int, int] = {}  # of the model's calls in the open step
        self._held: list[Said] = []  # blanks to begin with, or said while calls wait
        self._thoughts: list[str] = []
        self._thought = 0  # characters

    @property
    def tokens(self) -> JSON:
        """What the round cost: as the server counted, or about so where it did not."""
        if self.usage is not None:
            return self.usage
        return estimated_usage(estimated_tokens(self._request), tokens_of(self.said))

    @property
    def has_shown(self) -> bool:
        """Whether anything of it could be seen, by whichever attempt."""
        return bool(self.answer or self.calls or self._earlier or self._steps)

    async def take(self, delta: Delta) -> None:
        """Show and keep what the model says."""
        match delta:
            case TextDelta(text) | RefusalDelta(text):
                self.said += len(text.encode())
                await self._say(delta)
            case MessageStart() | Annotated() | ImageMade():
                await self._say(delta)
            case CallStart() | CallArguments() | CallResult():
                await self._called(delta)
            case ReasoningDelta(text):
                self._think(text)
            case Usage():
                self.usage = counted(delta)
            case Finish(reason):
                self.finish = reason
            case Remember(data, server) if self.calls is not None:
                # What is told again stands for the earlier steps of this answer too.
                self.calls.remember({"server": server, "data": data, "covers": self._steps - 1})

    async def end(self) -> None:
        """Check that the answer is whole; raise `UpstreamError` if it is not."""
        if self.finish is None:
            raise UpstreamError("The model server closed the connection before the answer ended.")
        if self.calls is not None and not self._holds_blanks:
            await untorn(self._say_afterwards())
        if not self._steps and self.finish is FinishReason.STOP:
            raise UpstreamError("The model server sent an empty answer.")

    def close(self, ending: Ending, now: int) -> Closing:
        """Return how what is open ends with the run."""
        closing = Closing()
        if self.answer is not None and not self.answer.is_closed:
            self.answer.reasoning = "".join(self._thoughts)
            closing += self.answer.end(ending, None if self.calls else self.tokens, now)
        if self.calls is not None and not self.calls.is_closed:
            # Cut off by a limit: calls that nobody will answer are not completed.
            cut = not self.calls.is_settled
            closing += self.calls.end(endings.cut_off(ending) if cut else ending, self.tokens, now)
        for shown in self._earlier:
            if not shown.is_closed:
                closing += shown.end(ending, None, now)
        return closing

    def _think(self, text: str) -> None:
        self.said += len(text.encode())
        self._thought += len(text)
        if self._thought <= MOST_REASONING:
            self._thoughts.append(text)

    async def _say(self, said: Said) -> None:
        if self.answer is not None:
            await self._show(self.answer, said)
            return
        # While functions wait for their outputs everything waits, because their step is open.
        # Before calls, some servers send a line break: that is no message.
        if isinstance(said, MessageStart) and self._holds_blanks:
            self._held.clear()
        self._held.append(said)
        if self._holds_blanks:
            return
        if self.calls is None or self.calls.is_settled:
            await untorn(self._begin_answer())

    @property
    def _holds_blanks(self) -> bool:
        return not any(_says_something(said) for said in self._held)

    async def _show(self, answer: Answer, said: Said) -> None:
        match said:
            case TextDelta(text):
                answer.append(TEXT, text, self._journal)
            case RefusalDelta(text):
                answer.append(REFUSAL, text, self._journal)
            case Annotated() if answer.wants_annotation(kind_of(said), said.text):
                annotation = await annotation_of(said, self._files)
                if annotation is not None:
                    answer.annotate(annotation, self._journal)
            case ImageMade(file):
                if answer.wants_image() and (file_id := await self._files.keep(file)):
                    answer.illustrate(file_id, self._journal)
            case MessageStart() if answer.has_words:
                await untorn(self._close_answer())

    async def _begin_answer(self) -> None:
        await self._close_calls()
        self._steps += 1
        if self._earlier:
            self.answer = self._repeated(Answer)
        else:
            now = self._now()
            self.answer = await Answer.begin(self._run, self._journal, now, self._history.sources)
        held, self._held = self._held, []
        for place, said in enumerate(held):
            if self.answer is None:  # another message begins
                self._held = held[place:]
                if not self._holds_blanks:
                    await self._begin_answer()
                return
            if not isinstance(said, MessageStart) or place:
                await self._show(self.answer, said)

    async def _called(self, delta: CallStart | CallArguments | CallResult) -> None:
        if isinstance(delta, CallStart):
            await self._call(delta)
            return
        place = self._places.get(delta.index)
        if place is None or self.calls is None:
            return
        if isinstance(delta, CallArguments):
            self.said += len(delta.text.encode())
            self.calls.append(place, delta.text, self._journal)
        elif self.calls.lacks_result(place):
            outputs = await outputs_of(delta, self._files)
            self.calls.finish(place, outputs, self._journal)
        else:
            self._files.recall(delta.outputs, self.calls.image_ids(place))

    async def _call(self, start: CallStart) -> None:
        if self.calls is None:
            self._held.clear()
            await untorn(self._begin_calls())
        if self.calls is not None:
            taken = start.id in self._history.call_ids or _COUNTED.fullmatch(start.id)
            unique = new_id("call") if taken else start.id
            kind = start.kind.value
            if start.kind is CallKind.FUNCTION and start.name == self._search_name:
                kind = FILE_SEARCH
            opened = self.calls.open(kind, unique, start.name, self._journal)
            self._places[start.index] = opened

    async def _begin_calls(self) -> None:
        await self._close_answer()
        self._steps += 1
        if self._earlier:
            self.calls = self._repeated(CallStep)
        else:
            self.calls = await CallStep.begin(self._run, self._journal, self._now())

    def _repeated(self, kind: type[S]) -> S:
        shown = self._earlier.popleft()
        if not isinstance(shown, kind):
            self._earlier.appendleft(shown)
            raise UpstreamError("The model server repeated an answer other than the one it gave.")
        return shown

    async def _close_calls(self) -> None:
        if self.calls is not None:
            if not self.calls.is_closed:
                await self._commit(self.calls.end(endings.COMPLETED, None, self._now()))
            self.calls = None
            self._places.clear()

    async def _close_answer(self) -> None:
        if self.answer is not None:
            if not self.answer.is_closed:
                self.answer.reasoning = "".join(self._thoughts)
                await self._commit(self.answer.end(endings.COMPLETED, None, self._now()))
            self._thoughts.clear()
            self.answer = None

    async def _commit(self, closing: Closing) -> None:
        await self._journal.commit(closing.emissions, {}, changed=closing.records)

    async def _say_afterwards(self) -> None:
        if self.calls is not None and self.calls.is_settled:
            await self._begin_answer()
            return
        calls, self.calls, before = self.calls, None, self._steps
        try:
            await self._begin_answer()
            await self._close_answer()
        finally:
            self.calls = calls
        if calls is not None:
            calls.note_followers(self._steps - before)


def _says_something(said: Said) -> bool:
    if isinstance(said, TextDelta | RefusalDelta):
        return bool(said.text.strip())
    return isinstance(said, ImageMade)
