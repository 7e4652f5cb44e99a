"""The loop of a run: ask the model, answer the calls this server can answer, ask again."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from streamlit_assistant import responses
from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    FinishReason,
    ModelChoice,
    ModelRequest,
    ProviderSource,
)
from streamlit_assistant.records import JSON, Clock, Run
from streamlit_assistant.runs import endings
from streamlit_assistant.runs.call_step import CallStep
from streamlit_assistant.runs.endings import Ending, Pause
from streamlit_assistant.runs.history import RunHistory, read_history
from streamlit_assistant.runs.journal import Journal
from streamlit_assistant.runs.offered_tools import OfferedTools, offered_tools, search_name
from streamlit_assistant.runs.patience import patiently
from streamlit_assistant.runs.prompt import (
    PromptTooLong,
    Room,
    build_request,
)
from streamlit_assistant.runs.round import Round
from streamlit_assistant.runs.token_usage import added_usage, usage
from streamlit_assistant.store import Store
from streamlit_assistant.tools.file_search import search_files
from streamlit_assistant.tools.toolbox import Toolbox
from streamlit_assistant.untorn import untorn

NOT_OFFERED = "There is no function `{}` that you may call now. Answer without it."
MOST_MISTAKES = 3
INDEXING_SECONDS = 60.0  # how long a run waits for the thread's files, as the hosted service did
SHORTEST_ANSWER = 16  # tokens; with fewer left, asking again is of no use
PASSAGE_TOKENS, FEWER_PASSAGE_TOKENS = 16_000, 4_000  # the latter where nobody knows the context
SHARE_OF_PASSAGES = 3  # passages may take a third of the model's context
SHARE_OF_ANSWER = 4  # a quarter of the context is left to the answer

_ENDINGS = {
    FinishReason.STOP: endings.COMPLETED,
    FinishReason.MAX_TOKENS: endings.OUT_OF_TOKENS,
    FinishReason.CONTENT_FILTER: endings.FILTERED,
}


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
        self._mistakes = 0  # rounds, one after the other, that only called what was not offered
        self._journal = journal
        self._store = store
        self._source = source
        self._toolbox = toolbox
        self._clock = clock

    async def go(self) -> Ending | Pause:
        """Go round until the model is done, a limit is reached, or somebody else must answer."""
        choice = await self._source.choose(self.run.model)
        self.run = replace(self.run, model=choice.model)
        stores = await patiently(self._searchable)
        # A run that was never begun before has no steps to read.
        history = RunHistory() if self.run.attempt == 1 else await self._history()
        while True:
            self.spent = history.usage
            outcome = await self._ask(choice, history, stores)
            if outcome is not None:
                return outcome
            history = await self._history()

    async def _history(self) -> RunHistory:
        named = search_name(self.run)
        return await patiently(lambda: read_history(self._store, self.run, named))

    async def _ask(
        self, choice: ModelChoice, history: RunHistory, stores: Sequence[str]
    ) -> Ending | Pause | None:
        tools = offered_tools(self.run, history, bool(stores))
        room = self._room(choice)
        if room.completion is not None and room.completion < SHORTEST_ANSWER:
            return endings.OUT_OF_TOKENS
        try:
            images = self._toolbox.images
            request = await patiently(
                lambda: build_request(self._store, images, self.run, history, tools, room)
            )
        except PromptTooLong:
            return endings.OUT_OF_PROMPT
        said = await self._listen(choice, request, history, tools)
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

    async def _close_calls(self, calls: CallStep, tokens: JSON | None) -> None:
        closing = calls.end(endings.COMPLETED, tokens, self._now())
        await self._journal.commit(closing.emissions, {}, changed=closing.records)
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
    ) -> Round:
        name = search_name(self.run) if tools.search_options is not None else None
        said = Round(self.run, self._journal, self._now, history, request, name)
        self.round = said
        async with aclosing(choice.provider.stream(request)) as deltas:
            async for delta in deltas:
                await said.take(delta)
        await said.end()
        return said

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
                _passage_tokens(choice.context_tokens),
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

    def _room(self, choice: ModelChoice) -> Room:
        spent = self.spent or usage(0, 0)
        prompt, completion = self.run.max_prompt_tokens, self.run.max_completion_tokens
        budgeted = prompt is not None
        if prompt is not None:
            prompt -= spent["prompt_tokens"]
        if completion is not None:
            completion = max(completion - spent["completion_tokens"], 0)
        context = choice.context_tokens
        if context is not None:
            fitting = context - context // SHARE_OF_ANSWER
            return Room(fitting if prompt is None else min(prompt, fitting), completion, budgeted)
        return Room(prompt, completion, budgeted)

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


def _passage_tokens(context: int | None) -> int:
    if context is None:
        return FEWER_PASSAGE_TOKENS
    return min(PASSAGE_TOKENS, context // SHARE_OF_PASSAGES)
