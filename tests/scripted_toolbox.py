"""The tools of a run without files behind them: what is found is what a test says."""

from collections.abc import AsyncIterator, Mapping, Sequence

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import File, SearchQuery, SearchResult
from streamlit_assistant.tools.toolbox import Toolbox


class ScriptedFiles:
    """Searcher, indexing, images and files in one. `kept` are the files: names and bytes, by id."""

    def __init__(
        self, found: Sequence[SearchResult] = (), images: Mapping[str, str] | None = None
    ) -> None:
        self.found = found
        self.images = images or {}
        self.searched: list[tuple[list[str], SearchQuery]] = []
        self.waited_for: list[list[str]] = []
        self.kept: dict[str, tuple[str, bytes]] = {}

    async def search(self, ids: Sequence[str], query: SearchQuery) -> Sequence[SearchResult]:
        self.searched.append((list(ids), query))
        return self.found[: query.max_num_results]

    async def wait_until_indexed(self, ids: Sequence[str], seconds: float) -> bool:
        self.waited_for.append(list(ids))
        return True

    async def data_url(self, owner: str, file_id: str) -> str | None:
        return self.images.get(file_id)

    async def add(
        self, owner: str, filename: str, purpose: str, pieces: AsyncIterator[bytes]
    ) -> File:
        file_id = f"file-{len(self.kept)}"
        self.kept[file_id] = (filename, b"".join([piece async for piece in pieces]))
        return await self.get(owner, file_id)

    async def get(self, owner: str, file_id: str) -> File:
        if file_id not in self.kept:
            raise NotFound("No such file.")
        name, data = self.kept[file_id]
        return File(
            id=file_id,
            owner=owner,
            created_at=0,
            filename=name,
            purpose="assistants",
            bytes=len(data),
            sha256="",
        )

    async def read(self, file: File) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield self.kept[file.id][1]

        return pieces()

    @property
    def toolbox(self) -> Toolbox:
        return Toolbox(searcher=self, indexing=self, images=self, files=self)
