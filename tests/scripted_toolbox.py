"""The tools of a run without files behind them: what is found is what a test says."""

from collections.abc import Mapping, Sequence

from streamlit_assistant.file_records import SearchQuery, SearchResult
from streamlit_assistant.tools.toolbox import Toolbox


class ScriptedFiles:
    """Searcher, indexing and images in one."""

    def __init__(
        self, found: Sequence[SearchResult] = (), images: Mapping[str, str] | None = None
    ) -> None:
        self.found = found
        self.images = images or {}
        self.searched: list[tuple[list[str], SearchQuery]] = []
        self.waited_for: list[list[str]] = []

    async def search(self, ids: Sequence[str], query: SearchQuery) -> Sequence[SearchResult]:
        self.searched.append((list(ids), query))
        return self.found[: query.max_num_results]

    async def wait_until_indexed(self, ids: Sequence[str], seconds: float) -> bool:
        self.waited_for.append(list(ids))
        return True

    async def data_url(self, owner: str, file_id: str) -> str | None:
        return self.images.get(file_id)

    @property
    def toolbox(self) -> Toolbox:
        return Toolbox(searcher=self, indexing=self, images=self)
