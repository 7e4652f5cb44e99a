"""Files that tools of a model server have made: copied into ours before the server forgets them."""

import asyncio
import logging
from collections.abc import Iterable

from streamlit_assistant.errors import AssistantError, UpstreamError
from streamlit_assistant.providers.base import ProducedFile
from streamlit_assistant.tools.toolbox import FileKeeper

PURPOSE = "assistants_output"
COPY_SECONDS = 120.0

logger = logging.getLogger(__name__)


class ProducedFiles:
    """Copies what is produced for one owner; each file once, however often it is named."""

    def __init__(self, keeper: FileKeeper, owner: str) -> None:
        self._keeper = keeper
        self._owner = owner
        self._kept: dict[ProducedFile, str | None] = {}
        self.lost: list[str] = []  # names of what could not be copied

    def recall(self, made: Iterable[object], ids: Iterable[str]) -> None:
        """Take over the ids under which an earlier attempt has kept what was made, in order."""
        files = (each for each in made if isinstance(each, ProducedFile))
        for file, file_id in zip(files, ids, strict=False):
            self._kept.setdefault(file, file_id)

    async def keep(self, file: ProducedFile) -> str | None:
        """Return the id of our copy, or None where there is none to be had."""
        if file not in self._kept:
            try:
                async with asyncio.timeout(COPY_SECONDS):
                    added = await self._keeper.add(self._owner, file.name, PURPOSE, file.read())
            except (UpstreamError, AssistantError, TimeoutError) as error:
                # The answer is worth having without it; its reader is told.
                logger.warning("a file the model made is lost: %s", error)
                self.lost.append(file.name)
                self._kept[file] = None  # whoever names it again need not wait again
            else:
                self._kept[file] = added.id
        return self._kept[file]
