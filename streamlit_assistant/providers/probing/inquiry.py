"""Asks a model on behalf of a test: each answer is bounded, and a failure is part of the answer."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from streamlit_assistant.errors import Trouble, UpstreamError
from streamlit_assistant.providers.base import (
    Begun,
    CallArguments,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    FunctionCall,
    ModelRequest,
    Noticed,
    Provider,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
    Turn,
    Usage,
)
from streamlit_assistant.records import JSON, Clock
from streamlit_assistant.token_estimate import estimated

SECONDS = 60.0  # for one answer
FIRST_SECONDS = 180.0  # for the first: a model may have to be loaded from disk
TOKENS = 256  # for one answer
THINKING_TOKENS = 2048  # the same, of a model that has thought all of those away
MOST_CHARACTERS = 40_000  # some servers do not know how to limit the tokens
# What a test is about is not left out because it is refused: that is what is to be found out.
TESTED = frozenset({"tools", "tool_choice", "parallel_tool_calls", "response_format", "text"})


@dataclass
class Answer:
    """What came of one request; `trouble` says why it is not whole.

    `pieces` are the seconds after which each piece of text came, `seconds` is how long it took in
    all. `is_late`: the time was up.
    """

    server: str = ""  # what its adapter calls itself
    text: str = ""
    thoughts: str = ""
    pieces: list[float] = field(default_factory=list)
    calls: list[FunctionCall] = field(default_factory=list)
    usage: Usage | None = None
    is_estimated: bool = False  # the usage is ours, not the server's
    finish: FinishReason | None = None
    replay: JSON | None = None
    begun: str | None = None
    trouble: UpstreamError | None = None
    is_late: bool = False
    seconds: float = 0.0

    @property
    def ran_out(self) -> bool:
        """Whether the tokens were used up before anything was said."""
        cut = self.finish is FinishReason.MAX_TOKENS and self.trouble is None
        return cut and not self.text.strip() and not self.calls

    @property
    def size(self) -> int:
        """How many characters have come."""
        called = sum(len(call.arguments) for call in self.calls)
        return len(self.text) + len(self.thoughts) + called

    def take(self, delta: Delta, after: float) -> None:
        """Add what came after so many seconds."""
        match delta:
            case TextDelta(text) | RefusalDelta(text):
                self.text += text
                self.pieces.append(after)
            case ReasoningDelta(text):
                self.thoughts += text
            case CallStart() | CallArguments():
                self._called(delta)
            case _:
                self._progress(delta)

    def _called(self, delta: CallStart | CallArguments) -> None:
        if isinstance(delta, CallStart):
            self.calls.append(FunctionCall(delta.id, delta.name, ""))
        elif delta.index < len(self.calls):
            call = self.calls[delta.index]
            self.calls[delta.index] = replace(call, arguments=call.arguments + delta.text)

    def _progress(self, delta: Delta) -> None:
        match delta:
            case Usage():
                self.usage = delta
            case Noticed(code="usage_estimated"):
                self.is_estimated = True
            case Remember(data, server):
                self.replay = {"server": server or self.server, "data": data}
            case Begun(begun):
                self.begun = begun
            case Finish(reason):
                self.finish = reason


class Inquiry:
    """Asks one model, and counts what that costs in `tokens`."""

    def __init__(
        self,
        provider: Provider,
        model: str,
        *,
        server: str = "",
        seconds: float = SECONDS,
        clock: Clock = time.monotonic,
    ) -> None:
        """`server` is what the provider calls itself; an answer gets so many `seconds`."""
        self._server = server
        self._provider = provider
        self._model = model
        self._seconds = seconds
        self._clock = clock
        self._limit = TOKENS
        self._refused: frozenset[str] = frozenset()
        self.tokens = 0
        self.is_estimated = False  # not all of them were counted by the server

    async def ask(
        self,
        *messages: Turn,
        instructions: str = "",
        functions: Sequence[JSON] = (),
        tool_choice: str = "auto",
        response_format: str | JSON = "auto",
        seconds: float | None = None,
    ) -> Answer:
        """Return the answer, or as much as came of it in time; never raises."""
        request = ModelRequest(
            self._model,
            instructions,
            messages,
            functions=functions,
            tool_choice=tool_choice,
            response_format=response_format,
        )
        patience = self._seconds if seconds is None else seconds
        answer = await self._insist(request, patience)
        if answer.ran_out and self._limit < THINKING_TOKENS:
            self._limit = THINKING_TOKENS
            answer = await self._insist(request, patience)
        return answer

    async def _insist(self, request: ModelRequest, patience: float) -> Answer:
        while True:
            limited = replace(request, max_completion_tokens=self._limit, refused=self._refused)
            answer = await self._once(limited, patience)
            self._count(limited, answer)
            name = _refused_by(answer.trouble)
            if name is None or name in self._refused:
                return answer
            self._refused |= {name}

    async def _once(self, request: ModelRequest, patience: float) -> Answer:
        answer = Answer(self._server)
        began = self._clock()
        try:
            async with asyncio.timeout(patience):
                await self._read(request, answer, began)
        except TimeoutError:
            answer.is_late = True
            answer.trouble = UpstreamError(
                f"There was no whole answer within {patience:g} seconds."
            )
        except UpstreamError as error:
            answer.trouble = error
        answer.seconds = self._clock() - began
        if answer.finish is None:
            if answer.begun is not None:
                await self._provider.cancel(answer.begun)
            answer.trouble = answer.trouble or UpstreamError("The answer broke off in the middle.")
        return answer

    async def _read(self, request: ModelRequest, answer: Answer, began: float) -> None:
        async with aclosing(self._provider.stream(request)) as deltas:
            async for delta in deltas:
                answer.take(delta, self._clock() - began)
                if answer.size > MOST_CHARACTERS:
                    answer.finish = answer.finish or FinishReason.MAX_TOKENS
                    return

    def _count(self, request: ModelRequest, answer: Answer) -> None:
        if answer.usage is not None:
            self.tokens += answer.usage.prompt_tokens + answer.usage.completion_tokens
            self.is_estimated |= answer.is_estimated
        elif answer.size:
            called = "".join(call.arguments for call in answer.calls)
            asked = f"{request.instructions} {request.messages} {request.functions or ''}"
            self.tokens += estimated(asked) + estimated(answer.text + answer.thoughts + called)
            self.is_estimated = True


def _refused_by(trouble: UpstreamError | None) -> str | None:
    """Return the parameter that can be left out to mend a request."""
    if trouble is None or trouble.trouble is not Trouble.PARAMETER or trouble.parameter is None:
        return None
    tested = trouble.parameter.partition(".")[0].partition("[")[0] in TESTED
    return None if tested else trouble.parameter
