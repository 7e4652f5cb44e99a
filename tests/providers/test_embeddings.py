"""Vectors of a model server, asked for as it can answer, and no server asked in vain."""

import asyncio
import logging
from array import array
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streamlit_assistant.providers.connection import Connection
from streamlit_assistant.providers.embeddings import (
    FAILED_SECONDS,
    MOST_INPUTS,
    NONE_SECONDS,
    Embedder,
)
from streamlit_assistant.providers.registry import ProviderRegistry
from streamlit_assistant.providers.upstream import Upstream
from streamlit_assistant.providers.upstream_failure import Explainer
from tests.conftest import FakeClock, listen


@dataclass
class VectorServer:
    """A model server that embeds: each text becomes its length and its place in the request."""

    url: str = ""
    models: tuple[str, ...] = ("llama", "nomic-embed-text")
    answers: list[Response | float] = field(default_factory=list)  # before the proper ones
    requests: list[dict[str, Any]] = field(default_factory=list)

    async def embed(self, request: Request) -> Response:
        self.requests.append(await request.json())
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Response):
                return answer
            await asyncio.sleep(answer)
        texts = self.requests[-1]["input"]
        data = [{"index": at, "embedding": [len(text), at]} for at, text in enumerate(texts)]
        return JSONResponse({"data": data[::-1]})  # in any order, says the protocol

    async def list_models(self, _request: Request) -> Response:
        return JSONResponse({"data": [{"id": name} for name in self.models]})


@pytest.fixture
def server() -> Iterator[VectorServer]:
    made = VectorServer()
    routes = [
        Route("/v1/embeddings", made.embed, methods=["POST"]),
        Route("/v1/models", made.list_models),
    ]
    with listen(Starlette(routes=routes)) as url:
        made.url = f"{url}/v1"
        yield made


@pytest.fixture
async def connection(server: VectorServer) -> AsyncIterator[Connection]:
    opened = Connection(Upstream(server.url, "sk-1234567890"))
    yield opened
    await opened.close()


def embedder(connection: Connection, clock: FakeClock, model: str | None = None) -> Embedder:
    upstream = connection.upstream
    return Embedder(
        connection._client,
        Explainer(upstream.base_url, upstream.api_key),
        upstream,
        connection.models,
        model,
        clock=clock,
    )


async def test_texts_are_embedded_in_their_order_and_in_pieces(
    server: VectorServer, connection: Connection
) -> None:
    texts = ["x" * size for size in range(2 * MOST_INPUTS + 5)]

    vectors = await connection.embedder(None).embed(texts)

    assert vectors is not None
    assert [vector[0] for vector in vectors] == list(range(len(texts)))
    assert [len(request["input"]) for request in server.requests] == [MOST_INPUTS, MOST_INPUTS, 5]
    assert {request["model"] for request in server.requests} == {"nomic-embed-text"}
    assert "dimensions" not in server.requests[0]


async def test_the_model_of_the_settings_is_asked(
    server: VectorServer, connection: Connection
) -> None:
    chosen = connection.embedder("bge-m3")

    await chosen.embed(["text"])

    assert server.requests[0]["model"] == await chosen.model() == "bge-m3"


async def test_openai_is_asked_for_short_vectors_of_its_own_model(
    connection: Connection, clock: FakeClock
) -> None:
    openai = Upstream("https://api.openai.com/v1", "sk-1234567890")
    explainer = Explainer(openai.base_url, openai.api_key)
    chosen = Embedder(connection._client, explainer, openai, connection.models, clock=clock)

    assert await chosen.model() == "text-embedding-3-large/256"
    assert chosen._body("text-embedding-3-large", ["a"])["dimensions"] == 256
    assert "dimensions" not in chosen._body("text-embedding-ada-002", ["a"])


async def test_a_server_without_such_a_model_is_asked_for_nothing(
    server: VectorServer, connection: Connection
) -> None:
    server.models = ("llama", "qwen")
    chosen = connection.embedder(None)

    assert await chosen.model() is None
    assert await chosen.embed(["text"]) is None
    assert server.requests == []


@pytest.mark.parametrize("status", [400, 404, 501])
async def test_a_server_that_has_none_is_left_alone_for_a_while(
    server: VectorServer, connection: Connection, clock: FakeClock, status: int
) -> None:
    chosen = embedder(connection, clock)
    server.answers = [JSONResponse({"error": "no"}, status)]

    assert await chosen.embed(["text"]) is None
    assert await chosen.embed(["text"]) is None
    assert await chosen.model() is None
    assert len(server.requests) == 1
    clock.now += NONE_SECONDS
    assert await chosen.embed(["text"]) == [array("f", [4, 0])]


async def test_why_there_are_no_vectors_is_said_in_the_words_of_the_server(
    server: VectorServer, connection: Connection, clock: FakeClock
) -> None:
    chosen = embedder(connection, clock)
    words = {"error": {"message": "This server was started without --embeddings; sk-1234567890"}}
    server.answers = [JSONResponse(words, 501)]
    before = chosen.trouble
    await chosen.embed(["text"])
    refused = chosen.trouble
    await chosen.model()
    still = chosen.trouble
    clock.now += NONE_SECONDS
    await chosen.embed(["text"])
    server.answers = [JSONResponse({"error": "512 tokens are the most"}, 400)]
    well = chosen.trouble
    await chosen.embed(["x" * 9_000])

    assert (before, well) == (None, None)
    assert refused is not None and refused == still
    assert "started without --embeddings" in refused
    assert "sk-1234567890" not in refused
    assert chosen.trouble is not None and "512 tokens are the most" in chosen.trouble


async def test_a_passing_failure_is_tried_again(
    server: VectorServer, connection: Connection, clock: FakeClock
) -> None:
    server.answers = [JSONResponse({"error": {"message": "slow down"}}, 429)]

    assert await embedder(connection, clock).embed(["text"]) == [array("f", [4, 0])]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"error": {"message": "broken"}}, 500),
        JSONResponse({"error": {"message": "bad key"}}, 401),
        Response("<html>", media_type="text/html"),
        Response("not json"),
        JSONResponse([]),
        JSONResponse({"data": []}),
        JSONResponse({"data": [{"embedding": []}, {"embedding": [1]}]}),
        JSONResponse({"data": [{"embedding": "AAAA"}, {"embedding": "AAAA"}]}),
        JSONResponse({"data": [{}, {}]}),
        JSONResponse({"data": [{"index": 7, "embedding": [1]}, {"embedding": [1]}]}),
        JSONResponse({"data": [1, 2]}),
        Response(b'{"data": [{"embedding": [NaN]}, {"embedding": [1]}]}'),
        0.5,
    ],
)
async def test_a_failure_is_no_vector_and_a_pause_and_one_line_in_the_log(
    server: VectorServer,
    connection: Connection,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    answer: Response | float,
) -> None:
    chosen = embedder(connection, clock)
    server.answers = [answer]

    with caplog.at_level(logging.WARNING):
        assert await chosen.embed(["one", "two"], attempts=1, seconds=0.2) is None
        assert await chosen.embed(["one"], attempts=1) is None

    assert len(server.requests) == 1
    assert len(caplog.records) == 1
    assert "sk-1234567890" not in caplog.text
    clock.now += FAILED_SECONDS
    assert await chosen.embed(["one"]) == [array("f", [3, 0])]


async def test_a_server_that_cannot_be_reached_is_no_error(clock: FakeClock) -> None:
    connection = Connection(Upstream("http://127.0.0.1:9/v1"))

    assert await embedder(connection, clock).embed(["text"]) is None
    assert await embedder(connection, clock, "m").embed(["text"], attempts=1) is None
    await connection.close()


async def test_the_registry_knows_who_embeds(server: VectorServer) -> None:
    registry = ProviderRegistry(Upstream(server.url), local_base_url=None, embedding_model="e5")
    chosen = await registry.embedder()

    assert chosen is not None
    assert await chosen.model() == "e5"
    assert await registry.embedder() is chosen
    await registry.close()


async def test_without_a_model_server_nobody_embeds() -> None:
    assert await ProviderRegistry(None, local_base_url=None).embedder() is None


@pytest.mark.parametrize(
    "data",
    [
        b'[{"index": 0, "embedding": [1e300, 1]}]',
        b'[{"index": 0, "embedding": [1%s, 1]}]' % (b"0" * 400),
        b'[{"index": 0, "embedding": [NaN, 1]}]',
        b'[{"index": [], "embedding": [1, 1]}]',
        b'[{"index": 0, "embedding": [true, 1]}]',
        b'[{"index": 1, "embedding": [1, 1]}]',
    ],
)
async def test_what_is_no_vector_is_a_failure_of_the_server(
    server: VectorServer, connection: Connection, clock: FakeClock, data: bytes
) -> None:
    server.answers.append(Response(b'{"data": %s}' % data, media_type="application/json"))

    assert await embedder(connection, clock).embed(["text"], attempts=1) is None


async def test_vectors_whose_size_changes_between_requests_are_none(
    server: VectorServer, connection: Connection, clock: FakeClock
) -> None:
    longer = [{"index": at, "embedding": [1, 2, 3]} for at in range(MOST_INPUTS)]
    server.answers.append(JSONResponse({"data": longer}))

    assert await embedder(connection, clock).embed(["text"] * (MOST_INPUTS + 1)) is None


async def test_one_text_that_is_refused_leaves_the_others_their_vectors(
    server: VectorServer, connection: Connection, clock: FakeClock
) -> None:
    chosen = embedder(connection, clock)
    await chosen.embed(["text"])
    server.answers = [JSONResponse({"error": "too long"}, 400)]

    assert await chosen.embed(["x" * 9_000]) is None
    assert await chosen.embed(["text"]) is not None
