"""The seam between runs and model servers: one method, a request in, deltas out."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from streamlit_assistant.records import JSON


@dataclass(frozen=True)
class PromptMessage:
    """One message of the conversation, its `content` parts as the Assistants API stores them.

    Images are `image_url` parts; the bytes of an uploaded one stand in its address. Documents for a
    model that reads them itself are `file` parts: `{"filename": ..., "url": "data:..."}`.
    """

    role: str
    content: Sequence[JSON]


@dataclass(frozen=True)
class FunctionCall:
    """A call the model made; `arguments` is JSON text, or what the model took for it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class CallsMessage:
    """A turn in which the model called functions, and perhaps said something beside that.

    `replay` is what the server that made the calls wants to hear again of this turn: the `data` of
    its `Remember`, with the `server` it came from. Other servers are not shown it. Ids of calls in
    it may differ from those in `calls`, whose order is the same and whose ids count.
    """

    calls: Sequence[FunctionCall]
    content: Sequence[JSON] = ()
    replay: JSON | None = None


@dataclass(frozen=True)
class OutputMessage:
    """What a called function returned."""

    call_id: str
    output: str


Turn = PromptMessage | CallsMessage | OutputMessage


@dataclass(frozen=True)
class ModelRequest:
    """Everything a model server needs for one answer. None means "leave it to the server".

    `functions` are definitions as in a function tool. `tool_choice` is `auto`, `none`, `required`
    or the name of a function after a colon, as in `function:get_weather`; `hosted:web_search` is
    one of the `hosted_tools`: tools of the Responses API that the model server executes itself.
    `trace` are ids for the server's logs. `refused` are parameters, by their name on the wire, that
    this model does not accept. `resume` is the id of an answer (`Begun`) that the server is writing
    or has written already: it is read from its beginning, and nothing new is asked for. What is
    `private` is kept nowhere, neither here nor by the model server as far as it can be told so.
    """

    model: str
    instructions: str
    messages: Sequence[Turn]
    temperature: float | None = None
    top_p: float | None = None
    max_completion_tokens: int | None = None
    response_format: str | JSON = "auto"
    reasoning_effort: str | None = None
    functions: Sequence[JSON] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    hosted_tools: Sequence[JSON] = ()
    trace: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    resume: str | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class ProducedFile:
    """A file that a tool of the model server has made; `read` streams its bytes from there."""

    name: str
    read: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Begun:
    """The server goes on with this answer without us; `id` is what `ModelRequest.resume` takes.

    It comes before anything that can be seen.
    """

    id: str


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something the person should know of how the answer came about.

    `code` tells programs what; `message` says it in English; `details` are the words in it.
    """

    code: str
    message: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answering:
    """From here on this model answers."""

    model: str


@dataclass(frozen=True, slots=True)
class MessageStart:
    """What is said from here on is another message."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More text of a refusal."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the model's thinking. Not part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Annotated:
    """An annotation of the text that was said last, from character `start` to `end` of it.

    Positions count from the beginning of the message's text. `file_id` is a file the server knows;
    `file` is one that it made.
    """

    text: str
    start: int
    end: int
    file_id: str | None = None
    file: ProducedFile | None = None


@dataclass(frozen=True, slots=True)
class ImageMade:
    """An image as a part of the answer."""

    file: ProducedFile


class CallKind(StrEnum):
    """What is called. All but functions are executed by the model server."""

    FUNCTION = "function"
    CODE_INTERPRETER = "code_interpreter"
    FILE_SEARCH = "file_search"
    HOSTED = "hosted"  # a tool the protocol does not know: shown as a function with its output


@dataclass(frozen=True, slots=True)
class CallStart:
    """The model begins to call a function; `index` counts the calls of this answer from 0."""

    index: int
    id: str
    name: str
    kind: CallKind = CallKind.FUNCTION


@dataclass(frozen=True, slots=True)
class CallArguments:
    """More of the arguments of the call with that index."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call brought that the model server executed; its arguments are whole by now.

    Of a code interpreter: its logs as text and the images it drew. Of a file search: a JSON object
    an entry, with `file_id`, `file_name`, `score` and `text`. Of a hosted tool: one text.
    """

    index: int
    outputs: Sequence[str | JSON | ProducedFile] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of this request, as the model server counted them.

    `cached_tokens` are those of the prompt that it knew already, `reasoning_tokens` those of the
    completion that nobody sees.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Remember:
    """What this server must be told again should the run go on; see `CallsMessage.replay`."""

    data: JSON
    server: str = ""


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"
    TOOL_CALLS = "tool_calls"


@dataclass(frozen=True, slots=True)
class Finish:
    """The model stopped by itself. A stream without it was cut off."""

    reason: FinishReason


Progress = Begun | Noticed | Answering | Usage | Remember | Finish
Said = MessageStart | TextDelta | RefusalDelta | ReasoningDelta | Annotated | ImageMade
Called = CallStart | CallArguments | CallResult
Delta = Progress | Said | Called


class Provider(Protocol):
    """Streams the deltas of one answer."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield deltas, with exactly one `Finish` among them; raise `UpstreamError` on failure.

        Closing the generator closes the connection to the model server. An answer that has `Begun`
        goes on there all the same.
        """
        ...

    async def cancel(self, begun: str) -> None:
        """End an answer that has `Begun`; never raises, and does nothing where none ever does."""
        ...
