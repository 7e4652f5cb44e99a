"""One request to one model: what comes is passed on, and a failure that nobody saw is kept."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    Annotated,
    Answering,
    Begun,
    Delta,
    MessageStart,
    ModelRequest,
    Noticed,
    Provider,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
    Usage,
)


class Trial:
    """Asks once. `error` is why it came to nothing.

    `is_settled`: something can be seen, or the answer has ended properly; what fails from then on
    cannot be tried again. `broke`: the connection did, so the server may go on with the answer.
    """

    def __init__(self, provider: Provider, request: ModelRequest) -> None:
        self._provider = provider
        self._request = request
        self._held: list[Delta] = []
        self.error: UpstreamError | None = None
        self.is_settled = False
        self.broke = False
        self.begun: str | None = None

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Yield what comes; raise `UpstreamError` only once it is settled."""
        try:
            async with aclosing(self._provider.stream(self._request)) as stream:
                async for delta in stream:
                    if self.is_settled:
                        yield delta
                    else:
                        for ready in self._ready(delta):
                            yield ready
        except UpstreamError as error:
            if self.is_settled:
                raise
            self.broke = error.__cause__ is not None  # else the server itself has said it
            self.error = error
        if not self.is_settled and self.error is None:
            self.broke = True
            self.error = UpstreamError("The model server closed the connection without an answer.")

    def _ready(self, delta: Delta) -> Sequence[Delta]:
        """Return what can be passed on, given that the same may have to be asked once more."""
        match delta:
            case TextDelta(text) | RefusalDelta(text) if not text.strip():
                self._held.append(delta)
                return ()
            case MessageStart() | Annotated() | Usage() | Remember() | ReasoningDelta():
                self._held.append(delta)  # would be wrong then, or there twice
                return ()
            case Begun(begun):
                self.begun = begun
            case Noticed() | Answering():
                pass
            case _:
                self.is_settled = True
                return (*self._held, delta)
        return (delta,)
