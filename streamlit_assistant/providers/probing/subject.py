"""Who answers the runs that name no other model: found out for those who want to test it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from streamlit_assistant.errors import Unreachable, UpstreamError
from streamlit_assistant.providers.base import Provider
from streamlit_assistant.providers.offline import OFFLINE_MODEL
from streamlit_assistant.providers.probing.probe import OFFLINE, Subject
from streamlit_assistant.providers.upstream import ModelInfo

if TYPE_CHECKING:
    # Not loaded before it is needed: it brings the HTTP client.
    from streamlit_assistant.providers.connection import Connection

NOBODY = "No model server is connected."


async def connected_subject(connection: "Connection", embedding_model: str | None) -> Subject:
    """Return the model that answers at a server; never raises, a failure is a part of it."""
    model = connection.upstream.model or ""
    listed: Sequence[ModelInfo] = ()
    failure: UpstreamError | None = None
    try:
        listed = await connection.models()
        model = await connection.default_model()
    except UpstreamError as error:
        # One that does not list its models may answer, if it is known what to ask for.
        if not model or isinstance(error, Unreachable):
            failure = error
    else:
        await connection.learn(model)

    async def measure() -> int | None:
        await connection.learn(model, anew=True)
        return connection.context_tokens(model)

    # Ollama lists with its tag what it also answers to without.
    names = (model, f"{model}:latest")
    known = next((each for each in listed if each.id in names), None)
    return Subject(
        connection.server,
        connection.api,
        model,
        # Without what is above it: a second try or another model would hide what is to be shown.
        connection.provider,
        context_tokens=connection.context_tokens(model),
        context_anew=measure,
        shutdown_date=known.shutdown_date if known else None,
        embedder=connection.embedder(embedding_model),
        failure=failure,
        models=[
            replace(each, context_tokens=connection.context_tokens(each.id)) for each in listed
        ],
    )


def offline_subject(provider: Provider) -> Subject:
    """Return what there is to test where no model server is connected: nothing."""
    return Subject("", OFFLINE, OFFLINE_MODEL, provider, failure=UpstreamError(NOBODY))
