"""Which model servers are meant, how to speak to them, and what they offer: plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

OPENAI_BASE_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-6-luna"
OLLAMA_BASE_URL = "http://127.0.0.1:11434/v1"

DEFAULT_MODEL = "default"  # an assistant with this model follows the server's settings

Api = Literal["chat", "responses"]


@dataclass(frozen=True)
class Upstream:
    """Where a model server is and how to speak to it. `model` None: the first it lists.

    `setting` is where address and key stand, if not in the usual two.
    """

    base_url: str
    api_key: str | None = None
    model: str | None = None
    setting: str | None = field(default=None, compare=False)

    @property
    def host(self) -> str:
        """The name of the machine, or its address."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI itself, which accepts what others do not, and the reverse."""
        return self.host == "api.openai.com" or self.host.endswith(".api.openai.com")

    @property
    def is_azure(self) -> bool:
        """Whether Microsoft serves OpenAI's models there."""
        return self.host.endswith(".azure.com")

    @property
    def hosts_tools(self) -> bool:
        """Whether it executes tools of the Responses API and goes on with answers by itself."""
        return self.is_openai or self.is_azure

    @property
    def lists_its_models(self) -> bool:
        """Whether a model that is not in its list is not there; Azure lists no deployments."""
        return not self.is_openai and not self.is_azure

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        return self.host in ("localhost", "127.0.0.1", "::1")

    def __repr__(self) -> str:
        return f"Upstream({self.base_url!r}, model={self.model!r})"


@dataclass(frozen=True)
class ModelInfo:
    """A model as the server's list names it; `created` in Unix seconds.

    Where the list tells: `context_tokens` is what prompt and answer may have together,
    `shutdown_date` the day (YYYY-MM-DD) on which it is switched off, `capabilities` are those of
    `tools`, `vision`, `json_schema` and `files` that it has.
    """

    id: str
    created: int
    owned_by: str
    context_tokens: int | None = None
    shutdown_date: str | None = None
    capabilities: frozenset[str] | None = None


@dataclass(frozen=True)
class Manner:
    """How model servers are spoken to. None: as is best for each.

    `background`: whether answers are written on without us. `first_token_seconds` and
    `silence_seconds` are how long a server may take to begin, and to go on.
    """

    api: Api | None = None
    background: bool | None = None
    first_token_seconds: float | None = None
    silence_seconds: float | None = None


@dataclass(frozen=True)
class StandIn:
    """A model that answers if the one that was asked for cannot; `upstream` None: at its server."""

    model: str
    upstream: Upstream | None = None


@dataclass(frozen=True)
class ProviderOptions:
    """What the owner has decided on, beyond which model server answers.

    `aliases` are models to ask in place of others. `cache_seconds`: how long an answer is given
    again to the same question; 0: not at all.
    """

    manner: Manner = field(default_factory=Manner)
    stand_ins: Sequence[StandIn] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    cache_seconds: int = 0


def configured_upstream(
    api_key: str | None, base_url: str | None, model: str | None
) -> Upstream | None:
    """Return the model server that the settings name, or None."""
    if base_url is not None:
        return Upstream(base_url, api_key, model)
    if api_key is not None:
        return Upstream(OPENAI_BASE_URL, api_key, model or OPENAI_MODEL)
    return None
