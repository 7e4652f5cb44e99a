"""All model servers in use, and who may answer a run. Loaded late: it brings the HTTP client."""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from streamlit_assistant.errors import Trouble, Unreachable, UpstreamError
from streamlit_assistant.providers.answer_cache import CachedProvider, KeptAnswers
from streamlit_assistant.providers.base import Noticed, Provider
from streamlit_assistant.providers.candidates import FILES, Abilities, Candidate
from streamlit_assistant.providers.choice import ModelChoice
from streamlit_assistant.providers.connection import Connection
from streamlit_assistant.providers.known_capabilities import KnownCapabilities
from streamlit_assistant.providers.model_resolution import Resolved
from streamlit_assistant.providers.retrying import SteadyProvider, fallback
from streamlit_assistant.providers.steadiness import Steadiness
from streamlit_assistant.providers.upstream import (
    DEFAULT_MODEL,
    Manner,
    ProviderOptions,
    StandIn,
    Upstream,
)
from streamlit_assistant.records import Clock

LIST_PAUSES = (0.5, 1.0, 2.0)  # seconds, before the list of models is asked for again
LONGEST_LIST_PAUSE = 20.0
NOT_HERE = "no model server that may have it is connected."


class Switchboard:
    """Makes connections when they are first needed, and the choice for each run."""

    def __init__(
        self, steadiness: Steadiness, probed: KnownCapabilities, *, clock: Clock = time.time
    ) -> None:
        """`probed` is what tests have shown of models; `clock` gives Unix seconds."""
        self._steadiness = steadiness
        self._probed = probed
        self._clock = clock
        self._connections: dict[tuple[Upstream, Manner], Connection] = {}
        self.sleep = steadiness.sleep

    def connection(self, upstream: Upstream, manner: Manner) -> Connection:
        """Return the connection to a server."""
        known = self._connections.get((upstream, manner))
        if known is None:
            known = Connection(upstream, manner, clock=self._clock)
            self._connections[upstream, manner] = known
        return known

    async def choose(
        self,
        connection: Connection | None,
        model: str,
        fallbacks: Sequence[str],
        options: ProviderOptions,
        kept: KeptAnswers | None = None,
    ) -> ModelChoice:
        """Return who answers a run; raise `UpstreamError` if nobody can.

        `connection` None: the usual server is not there, and `options` name other ones.
        """
        if connection is not None:
            connection.expect(options.aliases.get(model, model))
        line_up = _LineUp(self, connection, options)
        await line_up.add_asked(model)
        await line_up.add_stand_ins([*map(StandIn, fallbacks), *options.stand_ins])
        first, connection = line_up.first(model)
        await self.learn(connection, first.model)
        abilities = self.abilities(connection, first.model)
        provider: Provider = SteadyProvider(line_up.candidates, self._steadiness)
        if kept is not None and options.cache_seconds:
            provider = CachedProvider(
                provider, kept, options.cache_seconds, first.server, first.model
            )
        return ModelChoice(
            provider,
            first.model,
            abilities.context_tokens,
            hosts_tools=abilities.hosts_tools,
            reads_files=abilities.reads_files,
            code_host=connection.code_host,
            notices=line_up.notices,
        )

    async def learn(self, connection: Connection, model: str) -> None:
        """Look at what is told of a model, and at what other processes have seen of it."""
        await connection.learn(model)
        await self._probed.learn(connection.server, model)

    def abilities(self, connection: Connection, model: str) -> Abilities:
        """Return what servers and tests have told of a model by now."""
        told = connection.abilities(model)
        probed = self._probed.of(connection.server, model)
        if probed is None:
            return told
        # A test has seen it, the server only says so; of files no test knows.
        return replace(told, capabilities=probed | ({FILES} & (told.capabilities or set())))

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._connections.values():
            await connection.close()


class _LineUp:
    """The candidates of one run as they are found."""

    def __init__(
        self, board: Switchboard, connection: Connection | None, options: ProviderOptions
    ) -> None:
        self.candidates: list[Candidate] = []
        self.notices: Sequence[Noticed] = ()
        self._board = board
        self._connection = connection
        self._options = options
        self._places: dict[tuple[str, str], Connection] = {}
        self._failure: UpstreamError | None = None

    async def add_asked(self, model: str) -> None:
        """Add the model that the run asks for, wherever it is."""
        connection = self._connection
        if connection is None:
            for upstream in self._others_with(model):
                self._put(self._there(upstream), model)
            return
        for upstream in self._others_with(model):
            # A run that goes on after another server has answered names that server's model.
            if await _lacks(connection, model):
                self._put(self._there(upstream), model)
        try:
            resolved = await self._resolved(connection, model)
        except UpstreamError as error:
            self._failure = error
            return
        if not self.candidates:
            self.notices = resolved.notices
        self._put(connection, resolved.model, at_once=True)

    async def add_stand_ins(self, stand_ins: Iterable[StandIn]) -> None:
        """Add those who may answer in its place."""
        for stand_in in stand_ins:
            if stand_in.upstream is not None:
                self._put(self._there(stand_in.upstream), stand_in.model)
            elif self._connection is not None:
                await self._add_neighbour(self._connection, stand_in.model)

    def first(self, model: str) -> tuple[Candidate, Connection]:
        """Return whom the run is made for; raise `UpstreamError` if there is nobody."""
        if not self.candidates:
            raise self._failure or UpstreamError("No model server can be reached.")
        first = self.candidates[0]
        if self._failure is not None:
            self.notices = [fallback(model, first.model, self._failure.message)]
        elif self._connection is None and model not in (DEFAULT_MODEL, first.model):
            self.notices = [fallback(model, first.model, NOT_HERE)]
        return first, self._places[first.server, first.model]

    async def _resolved(self, connection: Connection, model: str) -> Resolved:
        """Return the model to ask for; a list that is not to be had now is asked for again."""
        for seconds in LIST_PAUSES:
            try:
                return await connection.resolve(model, self._options.aliases)
            except UpstreamError as error:
                pause = max(seconds, error.retry_after or 0.0)
                if not _passes(error) or self._options.stand_ins or pause > LONGEST_LIST_PAUSE:
                    raise
            await self._board.sleep(pause)
        return await connection.resolve(model, self._options.aliases)

    def _others_with(self, model: str) -> list[Upstream]:
        known = (
            stand_in.upstream for stand_in in self._options.stand_ins if stand_in.model == model
        )
        return [upstream for upstream in known if upstream is not None]

    def _there(self, upstream: Upstream) -> Connection:
        # Which protocol the usual server is to be spoken to in says nothing of others.
        return self._board.connection(upstream, replace(self._options.manner, api=None))

    async def _add_neighbour(self, connection: Connection, model: str) -> None:
        aliases = self._options.aliases
        if model not in (DEFAULT_MODEL, *aliases) and await connection.lacks(model):
            return
        with suppress(UpstreamError):
            self._put(connection, (await connection.resolve(model, aliases)).model)

    def _put(self, connection: Connection, model: str, *, at_once: bool = False) -> None:
        """Add a model; `at_once`: its server has just been looked at."""
        place = (connection.server, model)
        if place in self._places:
            return
        self._places[place] = connection
        board = self._board

        async def abilities() -> Abilities:
            if not at_once:
                await connection.glance()
                await board.learn(connection, model)
            return board.abilities(connection, model)

        self.candidates.append(Candidate(*place, connection.provider, abilities))


def _passes(error: UpstreamError) -> bool:
    """Return whether the server is there and may soon answer."""
    return error.trouble is Trouble.PASSING and not isinstance(error, Unreachable)


async def _lacks(connection: Connection, model: str) -> bool:
    """Return whether a server has no such model, or is not known to have it."""
    if connection.upstream.lists_its_models:
        return await connection.lacks(model)
    return not connection.knows(model)
