"""Which model server is meant, and what it offers: plain data."""

from dataclasses import dataclass
from urllib.parse import urlsplit

OPENAI_BASE_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-6-luna"
OLLAMA_BASE_URL = "http://127.0.0.1:11434/v1"

DEFAULT_MODEL = "default"  # an assistant with this model follows the server's settings


@dataclass(frozen=True)
class Upstream:
    """Where a model server is and how to speak to it. `model` None: the first it lists."""

    base_url: str
    api_key: str | None = None
    model: str | None = None

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI itself, which accepts what others do not, and the reverse."""
        return self.base_url.startswith(OPENAI_BASE_URL.removesuffix("/v1"))

    @property
    def lists_its_models(self) -> bool:
        """Whether a model that is not in its list is not there; Azure lists no deployments."""
        host = urlsplit(self.base_url).hostname or ""
        return not self.is_openai and not host.endswith(".azure.com")

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        return urlsplit(self.base_url).hostname in ("localhost", "127.0.0.1", "::1")

    def __repr__(self) -> str:
        return f"Upstream({self.base_url!r}, model={self.model!r})"


@dataclass(frozen=True)
class ModelInfo:
    """A model as the server's list names it; `created` in Unix seconds.

    `context_tokens` is what prompt and answer may have together, where the list tells.
    """

    id: str
    created: int
    owned_by: str
    context_tokens: int | None = None


def configured_upstream(
    api_key: str | None, base_url: str | None, model: str | None
) -> Upstream | None:
    """Return the model server that the settings name, or None."""
    if base_url is not None:
        return Upstream(base_url, api_key, model)
    if api_key is not None:
        return Upstream(OPENAI_BASE_URL, api_key, model or OPENAI_MODEL)
    return None
