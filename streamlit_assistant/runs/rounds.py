"""The loop of a run: ask the model, answer the calls this server can answer, ask again."""

import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from streamlit_assistant import responses
from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    Answering,
    Begun,
    FinishReason,
    ModelRequest,
    Noticed,
)
from streamlit_assistant.providers.choice import ModelChoice, ProviderSource
from streamlit_assistant.records import JSON, Clock, Run
from streamlit_assistant.runs import endings
from streamlit_assistant.runs.attached_documents import Documents
from streamlit_assistant.runs.call_step import CallStep
from streamlit_assistant.runs.code_rooms import CodeRooms
from streamlit_assistant.runs.endings import Ending, Pause
from streamlit_assistant.runs.history import RunHistory, read_history
from streamlit_assistant.runs.journal import Journal
from streamlit_assistant.runs.notices import lost_files, with_notices, without_waiting
from streamlit_assistant.runs.offered_tools import OfferedTools, offered_tools, search_name
from streamlit_assistant.runs.patience import patiently
from streamlit_assistant.runs.produced_files import ProducedFiles
from streamlit_assistant.runs.prompt import PromptTooLong, build_request
from streamlit_assistant.runs.recovery import read_shown
from streamlit_assistant.runs.room import Room, passage_tokens, room_for
from streamlit_assistant.runs.round import Round, Shown
from streamlit_assistant.runs.token_usage import added_usage
from streamlit_assistant.store import Store
from streamlit_assistant.tools.file_search import search_files
from streamlit_assistant.tools.toolbox import Toolbox
from streamlit_assistant.untorn import untorn

NOT_OFFERED = "There is no function `{}` that you may call now. Answer without it."
MOST_MISTAKES = 3
INDEXING_SECONDS = 60.0  # how long a run waits for the thread's files, as the hosted service did
SHORTEST_ANSWER = 16  # tokens; with fewer left, asking again is of no use

_ENDINGS = {
    FinishReason.STOP: endings.COMPLETED,
    FinishReason.MAX_TOKENS: endings.OUT_OF_TOKENS,
    FinishReason.CONTENT_FILTER: endings.FILTERED,
}

logger = logging.getLogger(__name__)


class Rounds:
    """One attempt's rounds. `run`, `round` and `spent` say how far it came, wherever it stopped."""

    def __init__(
        self,
        run: Run,
        journal: Journal,
        store: Store,
        source: ProviderSource,
        toolbox: Toolbox,
        clock: Clock,
    ) -> None:
        self.run = run
        self.round: Round | None = None
        self.spent: JSON | None = None  # tokens of the rounds that are over
        self._choice: ModelChoice | None = None
        self._files = ProducedFiles(toolbox.files, run.owner)
        self._rooms = CodeRooms(store, toolbox.files)
        self._mistakes = 0  # rounds, one after the other, that only called what was not offered
        self._journal = journal
        self._store = store
        self._source = source
        self._toolbox = toolbox
        self._clock = clock

    async def go(self) -> Ending | Pause:
        """Go round until the model is done, a limit is reached, or somebody else must answer."""
        choice = await self._choose()
        self.run = with_notices(replace(self.run, model=choice.model), *choice.notices)
        stores = await patiently(self._searchable)
        if self.run.begun is not None:
            outcome = await self._go_on(choice, stores, self.run.begun)
        elif self.run.attempt == 1:
            # A run that was never begun before has no steps to read.
            outcome = await self._ask(choice, RunHistory(), stores)
        else:
            outcome = None
        while outcome is None:
            outcome = await self._ask(choice, await self._history(), stores)
        return outcome

    def settle(self) -> None:
        """Let the run say what remains to be known once it pauses or ends."""
        self.run = lost_files(without_waiting(self.run), self._files.lost)

    async def cancel(self, begun: JSON) -> None:
        """Have the model server end an answer with which it would go on."""
        try:
            choice = self._choice or await self._choose()
            await choice.provider.cancel(begun["id"])
        except UpstreamError as error:
            logger.info("an answer is not cancelled at its server: %s", error.message)

    async def _choose(self) -> ModelChoice:
        fallbacks = self.run.options.get("fallback_models", ())
        self._choice = await self._source.choose(self.run.model, fallbacks)
        return self._choice

    async def _history(self, most_steps: int | None = None) -> RunHistory:
        named = search_name(self.run)
        return await patiently(lambda: read_history(self._store, self.run, named, most_steps))

    async def _go_on(
        self, choice: ModelChoice, stores: Sequence[str], begun: JSON
    ) -> Ending | Pause | None:
        """Read the answer with which the model server went on when an earlier attempt ended."""
        history = await self._history(begun["steps"])
        shown = await patiently(
            lambda: read_shown(self._store, self.run, begun["steps"], history.sources)
        )
        try:
            return await self._ask(choice, history, stores, begun["id"], shown)
        except UpstreamError as error:
            if self.round is None or self.round.has_shown:
                raise
            # Nothing was seen of it: it can be asked for anew without anybody noticing.
            logger.warning("an answer cannot be taken up again: %s", error.message)
            self.run = replace(self.run, begun=None)
            return None

    async def _ask(
        self,
        choice: ModelChoice,
        history: RunHistory,
        stores: Sequence[str],
        resume: str | None = None,
        earlier: Sequence[Shown] = (),
    ) -> Ending | Pause | None:
        self.spent = history.usage
        code = await self._rooms.tool(choice, self.run, resume is not None)
        tools = offered_tools(self.run, history, bool(stores), code, choice.hosts_tools)
        room = room_for(self.run, self.spent, choice.context_tokens)
        if room.completion is not None and room.completion < SHORTEST_ANSWER and not resume:
            return endings.OUT_OF_TOKENS
        try:
            request = await self._request(choice, history, tools, room)
        except PromptTooLong:
            return endings.OUT_OF_PROMPT
        request = replace(request, resume=resume)
        said = await self._listen(choice, request, history, tools, earlier)
        if said.finish is not FinishReason.TOOL_CALLS or said.calls is None:
            return _ENDINGS[said.finish or FinishReason.STOP]
        await self._search(said.calls, tools, choice, stores)
        self._refuse(said.calls, tools)
        if said.calls.functions:
            if self._is_spent:
                return endings.OUT_OF_TOKENS
            action = responses.required_action(said.calls.functions)
            return Pause(said.calls.waiting(said.tokens), action)
        await untorn(self._close_calls(said.calls, said.tokens))
        return None

    async def _request(
        self, choice: ModelChoice, history: RunHistory, tools: OfferedTools, room: Room
    ) -> ModelRequest:
        toolbox, store = self._toolbox, self._store

        async def build() -> ModelRequest:
            documents = Documents(toolbox.files, choice.reads_files)
            return await build_request(
                store, toolbox.images, self.run, history, tools, room, documents
            )

        return await patiently(build)

    async def _close_calls(self, calls: CallStep, tokens: JSON | None) -> None:
        closing = calls.end(endings.COMPLETED, tokens, self._now())
        self.run = replace(self.run, begun=None)
        changes = {"begun": None}
        await self._journal.commit(closing.emissions, changes, changed=closing.records)
        self.spent = added_usage(self.spent, tokens)
        self.round = None

    def _refuse(self, calls: CallStep, tools: OfferedTools) -> None:
        """Answer calls of functions that nobody offered: whoever waits for them has none either."""
        refused = [call for call in calls.functions if _name(call) not in tools.callable]
        for call in refused:
            calls.answer_function(call["id"], NOT_OFFERED.format(_name(call)))
        self._mistakes = self._mistakes + 1 if refused and not calls.functions else 0
        if self._mistakes > MOST_MISTAKES:
            raise UpstreamError("The model goes on calling functions that it was not offered.")

    async def _listen(
        self,
        choice: ModelChoice,
        request: ModelRequest,
        history: RunHistory,
        tools: OfferedTools,
        earlier: Sequence[Shown],
    ) -> Round:
        name = search_name(self.run) if tools.search_options is not None else None
        said = Round(
            self.run, self._journal, self._now, history, request, name, self._files, earlier
        )
        self.round = said
        async with aclosing(choice.provider.stream(request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Begun | Noticed | Answering):
                    await self._note(delta, history)
                else:
                    await said.take(delta)
        await said.end()
        return said

    async def _note(self, news: Begun | Noticed | Answering, history: RunHistory) -> None:
        """Keep what is to be known of an answer before anything of it can be seen."""
        match news:
            case Begun(begun_id):
                begun = {"id": begun_id, "model": self.run.model, "steps": history.steps}
                if self.run.begun == begun:
                    return
                self.run = replace(self.run, begun=begun)
            case Answering(model):
                # What another model has begun is not what will be read from here on.
                known = self.run.begun
                is_others = known is not None and known["model"] != model
                self.run = replace(self.run, model=model, begun=None if is_others else known)
            case Noticed():
                self.run = with_notices(self.run, news)
        changes = {name: getattr(self.run, name) for name in ("begun", "model", "notices")}
        await self._journal.commit([], changes)

    async def _search(
        self, calls: CallStep, tools: OfferedTools, choice: ModelChoice, stores: Sequence[str]
    ) -> None:
        for place, call in calls.searches:
            search = partial(
                search_files,
                self._toolbox.searcher,
                stores,
                call,
                tools.search_options or {},
                passage_tokens(choice.context_tokens),
            )
            answered = await patiently(search)
            calls.answer(place, answered)

    async def _searchable(self) -> list[str]:
        """Return the vector stores of the assistant and the thread, once they can be searched."""
        if all(tool["type"] != "file_search" for tool in self.run.tools):
            return []
        thread = await self._store.threads.get(self.run.owner, self.run.thread_id)
        mine = _store_ids(thread.tool_resources)
        stores = list(dict.fromkeys([*_store_ids(self.run.tool_resources), *mine]))
        if mine:
            await self._toolbox.indexing.wait_until_indexed(mine, INDEXING_SECONDS)
        if stores:
            await self._refuse_expired(stores)
        return stores

    async def _refuse_expired(self, stores: Sequence[str]) -> None:
        for expired in await self._store.vector_stores.expired(stores):
            raise UpstreamError(f"The vector store '{expired}' has expired.")
        await self._store.vector_stores.touch(stores)

    @property
    def _is_spent(self) -> bool:
        """Whether nothing is left for an answer to what is about to be asked for."""
        most, used = self.run.max_completion_tokens, self.usage
        return bool(most and used and most - used["completion_tokens"] < SHORTEST_ANSWER)

    @property
    def usage(self) -> JSON | None:
        """The tokens of all rounds, the last included."""
        return added_usage(self.spent, self.round.tokens if self.round else None)

    def _now(self) -> int:
        return int(self._clock())


def _name(call: JSON) -> str:
    return str(call["function"]["name"])


def _store_ids(resources: JSON) -> list[str]:
    return list(resources.get("file_search", {}).get("vector_store_ids", ()))
