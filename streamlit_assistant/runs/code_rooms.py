"""Where the code interpreter of a model server works for a thread, and the files it finds there."""

import logging
from collections.abc import Sequence

from streamlit_assistant.errors import AssistantError, Trouble, Unreachable, UpstreamError
from streamlit_assistant.providers.choice import CodeHost, ModelChoice
from streamlit_assistant.records import JSON, Run
from streamlit_assistant.runs.patience import patiently
from streamlit_assistant.store import Store
from streamlit_assistant.tools.toolbox import FileKeeper

CODE = "code_interpreter"
AUTOMATIC: JSON = {"type": "auto"}

logger = logging.getLogger(__name__)


class CodeRooms:
    """Gives each thread one container as long as its server keeps it, and its files into it."""

    def __init__(self, store: Store, files: FileKeeper) -> None:
        self._store = store
        self._files = files

    async def tool(self, choice: ModelChoice, run: Run, resumes: bool = False) -> JSON | None:
        """Return the code interpreter for a run's request; None where it gets none.

        `resumes`: the server works already, so nothing is prepared there.
        """
        wants_code = any(tool["type"] == CODE for tool in run.tools)
        if not choice.hosts_tools or not wants_code:
            return None
        if choice.code_host is None or resumes:
            return {"type": CODE, "container": AUTOMATIC}
        try:
            container: str | JSON = await self._container(choice.code_host, run)
        except UpstreamError as error:
            if not isinstance(error, Unreachable) and error.trouble is not Trouble.ELSEWHERE:
                raise
            # The request for the answer will meet the same: there others are asked instead.
            logger.warning("no container is prepared: %s", error.message)
            container = AUTOMATIC
        return {"type": CODE, "container": container}

    async def _container(self, host: CodeHost, run: Run) -> str:
        containers = self._store.upstream_containers
        known = await patiently(lambda: containers.get(run.thread_id, host.server))
        if known is not None and await host.has_container(known.container_id):
            container, inside = known.container_id, dict(known.files)
        else:
            container, inside = await host.open_container(), {}
        for file_id in await self._wanted(run):
            if file_id not in inside and (put := await self._put(host, container, run, file_id)):
                inside[file_id] = put
        await patiently(lambda: containers.put(run.thread_id, host.server, container, inside))
        return container

    async def _wanted(self, run: Run) -> Sequence[str]:
        thread = await self._store.threads.get(run.owner, run.thread_id)
        resources = (run.tool_resources, thread.tool_resources)
        named = [
            file_id for each in resources for file_id in each.get(CODE, {}).get("file_ids", ())
        ]
        return list(dict.fromkeys(named))

    async def _put(self, host: CodeHost, container: str, run: Run, file_id: str) -> str | None:
        try:
            file = await self._files.get(run.owner, file_id)
            return await host.add_file(container, file.filename, await self._files.read(file))
        except (AssistantError, UpstreamError) as error:
            # Deleted, or refused there: the model will say that it does not find the file.
            logger.warning("a file is not given to the code interpreter: %s", error)
            return None
