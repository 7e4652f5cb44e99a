"""Who answers a run, as whoever chooses says it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamlit_assistant.providers.base import Noticed, Provider


class CodeHost(Protocol):
    """Has containers in which a model server's code interpreter works; raises `UpstreamError`."""

    @property
    def server(self) -> str:
        """Whose containers they are."""
        ...

    async def open_container(self) -> str:
        """Make a container and return its id."""
        ...

    async def has_container(self, container_id: str) -> bool:
        """Return whether a container is still there: idle ones are thrown away."""
        ...

    async def add_file(self, container_id: str, filename: str, pieces: AsyncIterator[bytes]) -> str:
        """Put a file into a container and return the id it has there."""
        ...


@dataclass(frozen=True)
class ModelChoice:
    """A provider and the model it is asked for; `context_tokens` None: nobody says how many.

    `hosts_tools`: its server executes tools of the Responses API. `reads_files`: the model is
    shown documents as they are. `code_host`: where its code interpreter can be given files.
    `notices` say why it is this model, where that needs saying.
    """

    provider: Provider
    model: str
    context_tokens: int | None = None
    hosts_tools: bool = False
    reads_files: bool = False
    code_host: CodeHost | None = None
    notices: Sequence[Noticed] = ()


class ProviderSource(Protocol):
    """Chooses who answers a run."""

    async def choose(self, model: str, fallbacks: Sequence[str] = ()) -> ModelChoice:
        """Return the provider for an assistant's model; raise `UpstreamError` if none can be.

        `fallbacks` are the models that the assistant names in case its own cannot answer.
        """
        ...
