"""The API as an application: a list of routes, one gate, one error handler."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from streamlit_assistant.api.assistants import AssistantEndpoints
from streamlit_assistant.api.auth import KeyRing
from streamlit_assistant.api.error_response import render_error
from streamlit_assistant.api.file_batches import FileBatchEndpoints
from streamlit_assistant.api.file_links import FileLinks
from streamlit_assistant.api.files import FileEndpoints
from streamlit_assistant.api.gate import Gate, Strictness
from streamlit_assistant.api.idempotency import Idempotency
from streamlit_assistant.api.messages import MessageEndpoints
from streamlit_assistant.api.models import ModelEndpoints
from streamlit_assistant.api.runs import RunEndpoints
from streamlit_assistant.api.steps import StepEndpoints
from streamlit_assistant.api.threads import ThreadEndpoints
from streamlit_assistant.api.uploads import UploadEndpoints
from streamlit_assistant.api.upstream import UpstreamEndpoints
from streamlit_assistant.api.vector_store_files import VectorStoreFileEndpoints
from streamlit_assistant.api.vector_stores import VectorStoreEndpoints
from streamlit_assistant.errors import AssistantError
from streamlit_assistant.files.documents import Documents
from streamlit_assistant.providers import ProviderRegistry
from streamlit_assistant.records import JSON, Clock
from streamlit_assistant.runs import EventHub, RunExecutor
from streamlit_assistant.runs.patience import PASSING
from streamlit_assistant.store import Store

HANDLERS = dict.fromkeys((AssistantError, HTTPException, *PASSING, Exception), render_error)


def create_api(
    *,
    store: Store,
    executor: RunExecutor,
    hub: EventHub,
    providers: ProviderRegistry,
    documents: Documents,
    keys: KeyRing,
    clock: Clock,
    strictness: Strictness,
    run_seconds: int,
    hosted_tools: Sequence[JSON],
    restore: Callable[[], Awaitable[None]],
) -> Starlette:
    """Return the ASGI application to be mounted at `/v1`. What it is given must be open.

    `hosted_tools` are offered to every assistant. `restore` puts back the one that the page
    cannot do without.
    """
    library, indexer = documents.library, documents.indexer
    links = FileLinks(store, documents.images, indexer.notify, clock)
    routes = [
        *AssistantEndpoints(store, links, restore, clock).routes(),
        *RunEndpoints(store, links, executor, hub, clock, run_seconds, hosted_tools).routes(),
        *StepEndpoints(store).routes(),
        *MessageEndpoints(store, links, executor, clock).routes(),
        *ThreadEndpoints(store, links, executor, clock).routes(),
        *ModelEndpoints(providers.models).routes(),
        *UpstreamEndpoints(providers, clock).routes(),
        *FileEndpoints(library, indexer.notify).routes(),
        *UploadEndpoints(library).routes(),
        *VectorStoreEndpoints(store, documents.search, indexer, clock).routes(),
        *VectorStoreFileEndpoints(store, indexer, clock).routes(),
        *FileBatchEndpoints(store, indexer, clock).routes(),
    ]
    gate = Middleware(Gate, keys=keys, strictness=strictness)
    process = executor.membership.current_name
    once = Middleware(Idempotency, store=store, process=process, clock=clock)
    return Starlette(routes=routes, middleware=[gate, once], exception_handlers=HANDLERS)
