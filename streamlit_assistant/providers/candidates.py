"""Who may answer a request: a model at a server, and what it can and cannot do."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from streamlit_assistant.providers.base import (
    CallsMessage,
    ModelRequest,
    PromptMessage,
    Provider,
)
from streamlit_assistant.providers.pacing import prompt_tokens
from streamlit_assistant.providers.refused_parameters import IMAGES, RefusedParameters
from streamlit_assistant.providers.unseen_images import (
    asks_about_image,
    has_images,
    without_images,
)
from streamlit_assistant.records import JSON

TOOLS, VISION, JSON_SCHEMA, FILES = "tools", "vision", "json_schema", "files"
HOSTED, CONTEXT = "hosted_tools", "context"

# Better an answer without them than none. The model is told.
_CAN_BE_LEFT_OUT = {JSON_SCHEMA, HOSTED}
_NOT_HOSTED = (
    "These tools are not available with this model: {}. Say so where it matters; never pretend."
)
_LACKING = {
    TOOLS: "call functions",
    VISION: "see images",
    JSON_SCHEMA: "keep to a JSON schema",
    FILES: "read documents by itself",
    HOSTED: "use the tools of its server",
    CONTEXT: "hold a conversation of this length",
}


@dataclass(frozen=True)
class Abilities:
    """What is known of a model. `capabilities` None: nothing, so anything may be tried.

    Else it is a set of `tools`, `vision`, `json_schema` and `files`.
    """

    capabilities: frozenset[str] | None = None
    context_tokens: int | None = None
    hosts_tools: bool = False
    reads_files: bool = False


@dataclass(frozen=True)
class Candidate:
    """A model at a server. `abilities` may ask the server, but not for long, and never raises.

    `server` is its address, by which it is known to the breaker, the pacer and `Begun`.
    """

    server: str
    model: str
    provider: Provider
    abilities: Callable[[], Awaitable[Abilities]]


Turn = tuple[Candidate, ModelRequest]


class Rivals:
    """Those who may answer one request, in order; each is looked at only when its turn comes."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        request: ModelRequest,
        asked: Candidate,
        refused: RefusedParameters,
    ) -> None:
        """`asked` is the one that the request was made for."""
        self._left = list(candidates)
        self._refused = refused
        self._request = request
        self._asked = asked
        self._makeshift: list[Turn] = []  # who can answer it only without something
        self._ready: Turn | None = None
        self.reason = ""  # why those who were passed over cannot answer it

    async def next(self) -> Turn | None:
        """Return who is to be asked next, and what; None when nobody is left."""
        await self.is_left()
        ready, self._ready = self._ready, None
        return ready

    async def is_left(self) -> bool:
        """Return whether there is another who can answer."""
        while self._ready is None and self._left:
            await self._look_at(self._left.pop(0))
        if self._ready is None and self._makeshift:
            self._ready = self._makeshift.pop(0)
        return self._ready is not None

    async def _look_at(self, candidate: Candidate) -> None:
        request = replace(self._request, model=candidate.model)
        if request.resume is not None:
            self._ready = candidate, request
            return
        abilities = await candidate.abilities()
        lacking = set(lacks(request, abilities))
        if self._is_blind(candidate, abilities) and has_images(request):
            if asks_about_image(request):
                lacking.add(VISION)
            request = without_images(request)
        if candidate is self._asked:
            # The run has seen to it that it fits; ours is only a guess.
            lacking.discard(CONTEXT)
        if _is_at_home(request.hosted_tools) and candidate.server != self._asked.server:
            lacking.add(HOSTED)
        if not lacking:
            self._ready = candidate, request
        elif lacking <= _CAN_BE_LEFT_OUT and not request.tool_choice.startswith("hosted:"):
            self._makeshift.append((candidate, _reduced(request, lacking)))
        else:
            self.reason = self.reason or _in_words(candidate.model, lacking)

    def _is_blind(self, candidate: Candidate, abilities: Abilities) -> bool:
        told = abilities.capabilities
        refused = self._refused.of(candidate.server, replace(self._request, model=candidate.model))
        return IMAGES in refused or (told is not None and VISION not in told)


def lacks(request: ModelRequest, abilities: Abilities) -> Iterator[str]:
    """Yield what the request needs and the model does not have, beside eyes."""
    can = abilities.capabilities
    if can is not None:
        yield from (need for need in _needs(request) if need not in can)
    if not abilities.reads_files and _has_document(request):
        yield FILES
    if request.hosted_tools and not abilities.hosts_tools:
        yield HOSTED
    if abilities.context_tokens is not None and prompt_tokens(request) > abilities.context_tokens:
        yield CONTEXT


def _needs(request: ModelRequest) -> Iterator[str]:
    if request.functions and request.tool_choice != "none":
        yield TOOLS
    form = request.response_format
    if isinstance(form, dict) and form.get("type") == "json_schema":
        yield JSON_SCHEMA


def _has_document(request: ModelRequest) -> bool:
    return any(
        part.get("type") == "file"
        for turn in request.messages
        if isinstance(turn, PromptMessage | CallsMessage)
        for part in turn.content
    )


def _is_at_home(hosted_tools: Sequence[JSON]) -> bool:
    """Return whether a tool works with what only one server has, as the files in a container."""
    return any(isinstance(tool.get("container"), str) for tool in hosted_tools)


def _reduced(request: ModelRequest, lacking: set[str]) -> ModelRequest:
    if JSON_SCHEMA in lacking:
        # The adapter asks for it in words.
        request = replace(request, refused=request.refused | {"response_format", "text.format"})
    if HOSTED in lacking:
        names = ", ".join(str(tool.get("type")) for tool in request.hosted_tools)
        note = _NOT_HOSTED.format(names)
        instructions = "\n\n".join(filter(None, [request.instructions, note]))
        request = replace(request, hosted_tools=(), instructions=instructions)
    return request


def _in_words(model: str, lacking: set[str]) -> str:
    words = [text for name, text in _LACKING.items() if name in lacking]
    return f"{model} cannot {' and '.join(words)}"
