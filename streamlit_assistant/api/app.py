"""The API as an application: a list of routes, one gate, one error handler."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from streamlit_assistant.api.assistants import AssistantEndpoints
from streamlit_assistant.api.auth import KeyRing
from streamlit_assistant.api.error_response import render_error
from streamlit_assistant.api.gate import Gate
from streamlit_assistant.api.messages import MessageEndpoints
from streamlit_assistant.api.models import ModelEndpoints
from streamlit_assistant.api.runs import RunEndpoints
from streamlit_assistant.api.steps import StepEndpoints
from streamlit_assistant.api.threads import ThreadEndpoints
from streamlit_assistant.errors import AssistantError
from streamlit_assistant.providers import ProviderRegistry
from streamlit_assistant.records import Clock
from streamlit_assistant.runs import EventHub, RunExecutor
from streamlit_assistant.store import Store


def create_api(
    *,
    store: Store,
    executor: RunExecutor,
    hub: EventHub,
    providers: ProviderRegistry,
    keys: KeyRing,
    clock: Clock,
) -> Starlette:
    """Return the ASGI application to be mounted at `/v1`. What it is given must be open."""
    routes = [
        *AssistantEndpoints(store, clock).routes(),
        *RunEndpoints(store, executor, hub, clock).routes(),
        *StepEndpoints(store).routes(),
        *MessageEndpoints(store, clock).routes(),
        *ThreadEndpoints(store, executor, clock).routes(),
        *ModelEndpoints(providers.models).routes(),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Gate, keys=keys)],
        exception_handlers={
            AssistantError: render_error,
            HTTPException: render_error,
            Exception: render_error,
        },
    )
