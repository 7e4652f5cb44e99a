"""Which model is asked for the one that was named, and what is to be said of it."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from streamlit_assistant.providers.base import Noticed
from streamlit_assistant.providers.listed_models import ListedModels
from streamlit_assistant.providers.model_aliases import (
    ending,
    ends_soon,
    is_retired,
    missing,
    replaced,
    retired,
)
from streamlit_assistant.providers.upstream import DEFAULT_MODEL, OPENAI_MODEL, Upstream
from streamlit_assistant.records import Clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resolved:
    """The model to ask for; `is_missing`: it is another one, because the server lacks it."""

    model: str
    notices: Sequence[Noticed] = ()
    is_missing: bool = False


class Resolver:
    """Finds the model of one server that answers for a name.

    Programs written for OpenAI name OpenAI's models. At OpenAI those that are switched off are
    answered for, elsewhere all that are not there, both by the default one.
    """

    def __init__(
        self, upstream: Upstream, models: ListedModels, *, clock: Clock = time.time
    ) -> None:
        """`clock` gives Unix seconds: models are switched off on a day."""
        self._upstream = upstream
        self._models = models
        self._clock = clock
        self._lacking: set[str] = set()  # models that were asked for and are not there

    async def resolve(self, model: str, aliases: Mapping[str, str]) -> Resolved:
        """Return the model to ask for; `aliases` are the owner's own wishes.

        Raises `UpstreamError` where the default one is wanted and nobody knows it.
        """
        asked = await self._models.default() if model == DEFAULT_MODEL else model
        wanted = aliases.get(asked, asked)
        notices: list[Noticed] = []
        if wanted != asked:
            tell = retired if self._is_retired(asked) else replaced
            notices.append(tell(asked, wanted))
        elif asked not in aliases and self._is_retired(asked):
            default = self._upstream.model or OPENAI_MODEL
            wanted = OPENAI_MODEL if self._is_retired(default) else default
            notices.append(retired(asked, wanted))
        if await self._models.lacks(wanted):
            default = await self._models.default()
            if default != wanted:
                self._warn_once(wanted, default)
                return Resolved(default, [*notices, missing(wanted, default)], is_missing=True)
        if day := self._last_day(wanted):
            notices.append(ending(wanted, day))
        return Resolved(wanted, notices)

    def _is_retired(self, model: str) -> bool:
        return self._upstream.is_openai and is_retired(model, self._today())

    def _last_day(self, model: str) -> str | None:
        known = self._models.known(model)
        if known is not None and known.shutdown_date is not None:
            return known.shutdown_date
        day = ends_soon(model, self._today()) if self._upstream.is_openai else None
        return None if day is None else day.isoformat()

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()

    def _warn_once(self, model: str, default: str) -> None:
        if model not in self._lacking:
            self._lacking.add(model)
            where = self._upstream.base_url
            logger.warning("%s has no model '%s'; '%s' answers instead", where, model, default)
