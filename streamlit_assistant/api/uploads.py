"""The endpoints of uploads in parts."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import file_responses
from streamlit_assistant.api.file_requests import AddPart, CompleteUpload, CreateUpload
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.multipart import incoming_form
from streamlit_assistant.api.query import check_id, path_id
from streamlit_assistant.api.requests import read_body
from streamlit_assistant.api.validation import parse
from streamlit_assistant.files.library import MOST_PART_BYTES, FileLibrary


class UploadEndpoints:
    """Create, retrieve, add a part, complete, cancel."""

    def __init__(self, library: FileLibrary) -> None:
        self._library = library

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        one = "/uploads/{upload_id}"
        return [
            Route("/uploads", self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(f"{one}/parts", self.add_part, methods=["POST"]),
            Route(f"{one}/complete", self.complete, methods=["POST"]),
            Route(f"{one}/cancel", self.cancel, methods=["POST"]),
        ]

    async def create(self, request: Request) -> JSONResponse:
        """`POST /uploads`"""
        body = await read_body(request, CreateUpload)
        upload = await self._library.create_upload(
            owner(request),
            body.filename,
            body.purpose,
            body.bytes,
            body.mime_type,
            expires_after=body.expires_after.seconds if body.expires_after else None,
        )
        return JSONResponse(file_responses.upload(upload))

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /uploads/{upload_id}`, our extension: what has become of it."""
        upload_id = path_id(request, "upload_id")
        upload, file = await self._library.upload(owner(request), upload_id)
        return JSONResponse(file_responses.upload(upload, file))

    async def add_part(self, request: Request) -> JSONResponse:
        """`POST /uploads/{upload_id}/parts`, a form with the bytes in it"""
        receive = partial(self._library.receive, most_bytes=MOST_PART_BYTES, param="data")
        async with incoming_form(request) as incoming:
            upload_id = path_id(request, "upload_id")
            # Asked before the bytes are taken, so that none are written for nothing.
            await self._library.pending_upload(owner(request), upload_id)
            form = await incoming.read("data", receive)
            parse(AddPart, form.fields)
            assert form.draft is not None  # its field is required
            part = await self._library.add_part(owner(request), upload_id, form.draft)
        return JSONResponse(file_responses.upload_part(part))

    async def complete(self, request: Request) -> JSONResponse:
        """`POST /uploads/{upload_id}/complete`"""
        upload_id = path_id(request, "upload_id")
        body = await read_body(request, CompleteUpload)
        part_ids = [check_id(request, "part_id", part_id) for part_id in body.part_ids]
        upload, file = await self._library.complete(owner(request), upload_id, part_ids, body.md5)
        return JSONResponse(file_responses.upload(upload, file))

    async def cancel(self, request: Request) -> JSONResponse:
        """`POST /uploads/{upload_id}/cancel`"""
        upload_id = path_id(request, "upload_id")
        upload = await self._library.cancel(owner(request), upload_id)
        return JSONResponse(file_responses.upload(upload))
