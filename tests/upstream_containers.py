"""The files of a model server: in the containers where its code interpreter works, and beside them.

Tests put files in with `put`; `expire` ends a container as twenty idle minutes do.
"""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.upstream_wire import CREATED, JSON, error_body

ELSEWHERE = "files"  # the name under which files in no container are kept


@dataclass
class Containers:
    """All files of a server, by container and id."""

    files: dict[str, dict[str, tuple[str, bytes]]] = field(default_factory=lambda: {ELSEWHERE: {}})
    asked: list[str] = field(default_factory=list)
    _made: int = 0

    def clear(self) -> None:
        """Have no files and no containers."""
        self.files = {ELSEWHERE: {}}
        self.asked = []
        self._made = 0

    def put(self, container: str, file_id: str, name: str, content: bytes) -> None:
        """Let a program have written a file."""
        self.files.setdefault(container, {})[file_id] = (name, content)

    def expire(self, container: str) -> None:
        """Let a container end, with all that is in it."""
        self.files.pop(container, None)

    def routes(self) -> list[Route]:
        """The endpoints of files and containers."""
        inside = "/v1/containers/{container}/files"
        return [
            Route("/v1/containers", self._create, methods=["POST"]),
            Route("/v1/containers/{container}", self._retrieve),
            Route(inside, self._upload, methods=["POST"]),
            Route(inside, self._list),
            Route(inside + "/{file}/content", self._read),
            Route("/v1/files", self._upload, methods=["POST"]),
            Route("/v1/files/{file}/content", self._read),
            Route("/made/{file}", self._read),  # the address of an image
        ]

    async def _create(self, request: Request) -> Response:
        self._note(request)
        body: JSON = await request.json()
        self._made += 1
        container = f"cntr_made_{self._made}"
        self.files[container] = {}
        for file_id in body.get("file_ids") or ():
            self.files[container][file_id] = self.files[ELSEWHERE][file_id]
        return JSONResponse(_container(container, body.get("name")))

    async def _retrieve(self, request: Request) -> Response:
        self._note(request)
        container = request.path_params["container"]
        if container not in self.files:
            return _missing("Container", container)
        return JSONResponse(_container(container, container))

    async def _upload(self, request: Request) -> Response:
        self._note(request)
        container = request.path_params.get("container", ELSEWHERE)
        if container not in self.files:
            return _missing("Container", container)
        async with request.form() as form:
            upload = form["file"]
            assert not isinstance(upload, str)
            name, content = upload.filename or "", await upload.read()
        self._made += 1
        file_id = f"{'file' if container == ELSEWHERE else 'cfile'}_made_{self._made}"
        self.put(container, file_id, name, content)
        return JSONResponse(_file(container, file_id, name, content))

    async def _list(self, request: Request) -> Response:
        self._note(request)
        container = request.path_params["container"]
        if container not in self.files:
            return _missing("Container", container)
        data = [_file(container, key, *file) for key, file in self.files[container].items()]
        return JSONResponse({"object": "list", "data": data, "has_more": False})

    async def _read(self, request: Request) -> Response:
        self._note(request)
        container = request.path_params.get("container", ELSEWHERE)
        if container not in self.files:
            return _missing("Container", container)
        file_id = request.path_params["file"]
        if file_id not in self.files[container]:
            return _missing("File", file_id)
        return Response(self.files[container][file_id][1], media_type="application/binary")

    def _note(self, request: Request) -> None:
        self.asked.append(f"{request.method} {request.url.path}")


def _container(container: str, name: str | None) -> JSON:
    return {
        "id": container,
        "object": "container",
        "created_at": CREATED,
        "status": "running",
        "expires_after": {"anchor": "last_active_at", "minutes": 20},
        "last_active_at": CREATED,
        "name": name,
    }


def _file(container: str, file_id: str, name: str, content: bytes) -> JSON:
    size = {"id": file_id, "bytes": len(content), "created_at": CREATED}
    if container == ELSEWHERE:
        return {**size, "object": "file", "filename": name, "purpose": "user_data"}
    place = {"container_id": container, "path": f"/mnt/data/{name}", "source": "user"}
    return {**size, **place, "object": "container.file"}


def _missing(kind: str, name: str) -> Response:
    message = f"{kind} with id '{name}' not found."
    return JSONResponse(error_body(message, "invalid_request_error"), 404)
