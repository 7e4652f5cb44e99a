"""Lets respx answer the openai client, which speaks httpx2 while respx speaks httpx.

The client also takes an `httpx.Client`, but then it raises httpx's errors where the product meets
httpx2's. Here everything above the socket is what runs in production.
"""

from collections.abc import Iterator

import httpx
import httpx2
import respx


class _Body(httpx2.SyncByteStream):
    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            assert isinstance(self._response.stream, httpx.SyncByteStream)
            yield from self._response.stream
        except httpx.TransportError as exc:
            raise _same_error(exc) from exc

    def close(self) -> None:
        self._response.close()


class RespxTransport(httpx2.BaseTransport):
    """Hands requests to a respx router and its answers and errors back."""

    def __init__(self, router: respx.Router) -> None:
        self._router = router

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        asked = httpx.Request(
            request.method,
            str(request.url),
            headers=request.headers.raw,
            content=request.read(),
            extensions=request.extensions,
        )
        try:
            answer = self._router.handler(asked)
        except httpx.TransportError as exc:
            raise _same_error(exc) from exc
        answer.request = asked
        return httpx2.Response(answer.status_code, headers=answer.headers.raw, stream=_Body(answer))


def _same_error(error: httpx.TransportError) -> httpx2.TransportError:
    twin: type[httpx2.TransportError] = getattr(httpx2, type(error).__name__)
    return twin(str(error))
