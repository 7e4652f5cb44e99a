"""The files' endpoints."""

from collections.abc import Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import file_responses, responses
from streamlit_assistant.api.file_requests import CreateFile
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.multipart import incoming_form
from streamlit_assistant.api.query import page_query, path_id
from streamlit_assistant.api.validation import parse
from streamlit_assistant.file_records import File
from streamlit_assistant.files.library import FileLibrary

MOST_LISTED = 10_000


class FileEndpoints:
    """List, create, retrieve, delete, download."""

    def __init__(self, library: FileLibrary, deleted: Callable[[], None]) -> None:
        """`deleted` is called after a file was: whoever reads it need not go on."""
        self._library = library
        self._deleted = deleted

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        one = "/files/{file_id}"
        return [
            Route("/files", self.list, methods=["GET"]),
            Route("/files", self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/content", self.content, methods=["GET"]),
        ]

    async def list(self, request: Request) -> JSONResponse:
        """`GET /files`: all of them at once if nothing is said; it knows no `before`."""
        query = page_query(request, "purpose", most=MOST_LISTED, usual=MOST_LISTED, before=False)
        purpose = request.query_params.get("purpose")
        page = await self._library.page(owner(request), query, purpose)
        return JSONResponse(responses.page(page, file_responses.file))

    async def create(self, request: Request) -> JSONResponse:
        """`POST /files`, a form with the file in it"""
        async with incoming_form(request) as incoming:
            form = await incoming.read("file", self._library.receive)
            body = parse(CreateFile, form.fields)
            assert form.draft is not None  # its field is required
            made = await self._library.keep(
                owner(request),
                body.file,
                body.purpose,
                form.draft,
                expires_after=body.expires_after.seconds if body.expires_after else None,
            )
        return JSONResponse(file_responses.file(made))

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /files/{file_id}`"""
        found = await self._library.get(owner(request), path_id(request, "file_id"))
        return JSONResponse(file_responses.file(found))

    async def delete(self, request: Request) -> JSONResponse:
        """`DELETE /files/{file_id}`"""
        file_id = path_id(request, "file_id")
        await self._library.delete(owner(request), file_id)
        self._deleted()
        return JSONResponse(file_responses.deleted_file(file_id))

    async def content(self, request: Request) -> Response:
        """`GET /files/{file_id}/content`: the bytes as they came"""
        found = await self._library.get(owner(request), path_id(request, "file_id"))
        if request.method == "HEAD":
            return Response(headers=_headers(found))
        return StreamingResponse(await self._library.read(found), headers=_headers(found))


def _headers(file: File) -> dict[str, str]:
    # Whatever was uploaded, no browser shall take it for a page of this site.
    plain = "".join(
        sign if sign.isascii() and sign not in '"\\%' else "_" for sign in file.filename
    )
    name = quote(file.filename, safe="")
    return {
        "content-type": "application/octet-stream",
        "content-length": str(file.bytes),
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{name}",
        "x-content-type-options": "nosniff",
    }
