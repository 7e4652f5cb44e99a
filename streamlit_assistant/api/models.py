"""The models' endpoints: what the connected model server offers."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import responses
from streamlit_assistant.errors import NotFound, PermissionDenied, ServerFault, UpstreamError
from streamlit_assistant.records import JSON


class ModelInfo(Protocol):
    """A model as its server lists it."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def created(self) -> int:
        """Unix seconds."""

    @property
    def owned_by(self) -> str:
        """Whose it is."""


class ModelEndpoints:
    """List, retrieve; deleting is refused."""

    def __init__(self, catalogue: Callable[[], Awaitable[Sequence[ModelInfo]]]) -> None:
        self._catalogue = catalogue

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        return [
            Route("/models", self.list, methods=["GET"]),
            # Model names may hold slashes, as in `meta-llama/llama-3`.
            Route("/models/{model:path}", self.retrieve, methods=["GET"]),
            Route("/models/{model:path}", self.delete, methods=["DELETE"]),
        ]

    async def list(self, _request: Request) -> JSONResponse:
        """`GET /models`"""
        return JSONResponse(responses.models(await self._models()))

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /models/{model}`"""
        return JSONResponse(await self._model(request.path_params["model"]))

    async def delete(self, request: Request) -> JSONResponse:
        """`DELETE /models/{model}`: there is nothing here that could be deleted."""
        model = await self._model(request.path_params["model"])
        raise PermissionDenied(
            f"The model '{model['id']}' cannot be deleted here: it belongs to the model server "
            "that this server asks.",
            param="model",
        )

    async def _model(self, wanted: str) -> JSON:
        for model in await self._models():
            if model["id"] == wanted:
                return model
        raise NotFound(
            f"The model '{wanted}' does not exist.", param="model", code="model_not_found"
        )

    async def _models(self) -> Sequence[JSON]:
        try:
            found = await self._catalogue()
        except UpstreamError as error:
            raise ServerFault(error.message, code="upstream_unavailable") from error
        return [responses.model(model.id, model.created, model.owned_by) for model in found]
