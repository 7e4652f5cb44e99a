"""What all processes share about the model servers; nobody waits for it while the database is away.

It is handed to the providers, which do not know where it is kept.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamlit_assistant.records import JSON
from streamlit_assistant.runs.patience import PASSING
from streamlit_assistant.store.answer_cache import AnswerCache
from streamlit_assistant.store.model_reports import ModelReports
from streamlit_assistant.store.upstream_rates import UpstreamRates

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RateLimits:
    """What a model server takes a minute; None: nobody says."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class SharedPacer:
    """Says when the next request to a model server may be sent, whichever process sends it."""

    def __init__(self, rates: UpstreamRates, limits: Callable[[], RateLimits]) -> None:
        """`limits` are asked for with every request: settings may change."""
        self._rates = rates
        self._limits = limits

    async def reserve(self, server: str, tokens: int) -> float:
        """Book a request of so many tokens; return the seconds until it may be sent."""
        limits = self._limits()
        try:
            return await self._rates.reserve(
                server, tokens, limits.requests_per_minute, limits.tokens_per_minute
            )
        except PASSING as error:
            # The server itself says so if it is too much; then it is asked again later.
            logger.warning("a request is sent without being paced: %s", type(error).__name__)
            return 0.0


class SharedAnswers:
    """Answers that any process has kept; what the database does not give was not kept."""

    def __init__(self, cache: AnswerCache) -> None:
        self._cache = cache

    async def get(self, key: str) -> Sequence[JSON] | None:
        """Return the answer that is kept under a key."""
        try:
            return await self._cache.get(key)
        except PASSING as error:
            logger.warning("the answer cache cannot be read: %s", type(error).__name__)
            return None

    async def put(self, key: str, deltas: Sequence[JSON], seconds: int) -> None:
        """Keep an answer for so many seconds."""
        try:
            await self._cache.put(key, deltas, seconds)
        except PASSING as error:
            logger.warning("an answer is not kept: %s", type(error).__name__)


class SharedReports:
    """Reports on models that any process has made; what the database does not give is not known."""

    def __init__(self, reports: ModelReports) -> None:
        self._reports = reports

    async def get(self, key: str) -> JSON | None:
        """Return the report that is kept under a key."""
        try:
            return await self._reports.get(key)
        except PASSING as error:
            logger.warning("the reports on models cannot be read: %s", type(error).__name__)
            return None

    async def put(self, key: str, report: JSON) -> None:
        """Keep a report in place of the one before."""
        try:
            await self._reports.put(key, report)
        except PASSING as error:
            logger.warning("the report on a model is not kept: %s", type(error).__name__)
