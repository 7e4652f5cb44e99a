"""Retry and fallback, the one place for both: a provider that does not give up at once.

It asks its candidates in order. Nothing is ever asked again once something of an answer was seen:
the person would read it twice. What it knows of waits and of stand-ins it says by `Noticed`.

The id of an answer that has `Begun` names its server, as in `https://host/v1|resp_1`, so that
another process knows whom to ask for the rest of it.
"""

import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from tenacity import AsyncRetrying, RetryCallState

from streamlit_assistant.errors import RunErrorCode, Trouble, Unreachable, UpstreamError
from streamlit_assistant.providers.base import Answering, Begun, Delta, ModelRequest, Noticed
from streamlit_assistant.providers.candidates import Candidate, Rivals
from streamlit_assistant.providers.refused_parameters import (
    IMAGES,
    droppable,
    missed,
    notice,
    with_stand_ins,
)
from streamlit_assistant.providers.steadiness import Effort, Steadiness
from streamlit_assistant.providers.trial import Trial
from streamlit_assistant.providers.unseen_images import without_former_images
from streamlit_assistant.providers.upstream import DEFAULT_MODEL

TRIES = 4  # of one candidate
FIRST_WAIT, LONGEST_WAIT = 0.5, 20.0  # seconds; doubled from try to try
JITTER = 0.25  # share of a wait by which it is longer or shorter
AT = "|"  # between server and id of an answer that has begun
MOST_DROPPED = 12  # parameters; a server that refuses more of them wants something else
DOWN = "its server could not be reached a moment ago."

Failed = Sequence[tuple[Candidate, UpstreamError]]

logger = logging.getLogger(__name__)


class SteadyProvider:
    """Answers with the first candidate that can. Made for one run: later rounds stay with it."""

    def __init__(self, candidates: Sequence[Candidate], steadiness: Steadiness) -> None:
        """The first of `candidates` is whom the run asked for."""
        self._candidates = list(candidates)
        self._steadiness = steadiness
        self._current = self._candidates[0]
        self._told: set[tuple[str, str]] = set()  # of parameters that were left out

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of one answer; see `Provider`."""
        effort = Effort(self._steadiness)
        refused = self._steadiness.refused
        rivals = Rivals(self._ordered(request), request, self._candidates[0], refused)
        failed: list[tuple[Candidate, UpstreamError]] = []
        while (turn := await rivals.next()) is not None:
            asking = _Asking(*turn, effort, self._steadiness, rivals, self._told)
            try:
                async with aclosing(asking.deltas()) as deltas:
                    async for delta in deltas:
                        if asking.candidate is not self._current and not _is_notice(delta):
                            for word in self._introduced(asking.candidate, failed, rivals):
                                yield word
                        yield delta
                return
            except UpstreamError as error:
                if effort.is_settled or error.trouble is Trouble.REQUEST or request.resume:
                    raise
                logger.warning("%s was asked in vain: %s", asking.candidate.model, error.message)
                failed.append((asking.candidate, error))
            await asking.abandon()
        raise _failure(failed, rivals)

    async def cancel(self, begun: str) -> None:
        """End an answer that has `Begun`, at the server that began it; see `Provider`."""
        server, _, name = begun.partition(AT)
        for candidate in self._candidates:
            if candidate.server == server:
                await candidate.provider.cancel(name)
                return

    def _ordered(self, request: ModelRequest) -> list[Candidate]:
        if request.resume is not None:
            server = request.resume.partition(AT)[0]
            began = [known for known in self._candidates if known.server == server]
            if not began:
                raise UpstreamError("The model server that began this answer is not known here.")
            return began[:1]
        place = self._candidates.index(self._current)
        order = self._candidates[place:] + self._candidates[:place]
        # Those that are down come last: the only one there is must be asked all the same.
        return sorted(order, key=lambda known: self._steadiness.breaker.is_open(known.server))

    def _introduced(self, candidate: Candidate, failed: Failed, rivals: Rivals) -> Iterator[Delta]:
        self._current, asked = candidate, self._candidates[0]
        if candidate is not asked:
            reason = failed[-1][1].message if failed else rivals.reason or DOWN
            yield fallback(asked.model, candidate.model, reason)
        yield Answering(candidate.model)


class _Asking:
    """Asks one candidate until it answers, or there is no sense in it."""

    def __init__(
        self,
        candidate: Candidate,
        request: ModelRequest,
        effort: Effort,
        steadiness: Steadiness,
        rivals: Rivals,
        told: set[tuple[str, str]],
    ) -> None:
        self.candidate = candidate
        self._effort = effort
        self._steadiness = steadiness
        self._rivals = rivals
        self._told = told
        known = steadiness.refused.of(candidate.server, request)
        self._request = replace(request, refused=request.refused | known)
        self._dropped: frozenset[str] = frozenset()
        self._error: UpstreamError | None = None
        self._begun: str | None = None  # by a try whose connection broke: the next one picks it up
        self._pause = 0.0  # before the next try

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Yield what comes of all tries; raise `UpstreamError` when there will be no other."""
        tries = AsyncRetrying(
            retry=self._is_worth_it,
            wait=self._wait,
            stop=self._stop,
            sleep=self._plan,
            reraise=True,
        )
        async for attempt in tries:
            # Nothing is yielded below `attempt`: it would swallow the end of the generator.
            async with aclosing(self._tried()) as deltas:
                async for delta in deltas:
                    yield delta
            with attempt:
                if self._error is not None:
                    raise self._error

    async def abandon(self) -> None:
        """End what the server may still be writing, because another one is asked."""
        if self._begun is not None:
            await self.candidate.provider.cancel(self._begun)

    async def _is_worth_it(self, _state: RetryCallState) -> bool:
        error = self._error
        if error is None or error.trouble is not Trouble.PASSING:
            return False
        return not (isinstance(error, Unreachable) and await self._rivals.is_left())

    def _wait(self, state: RetryCallState) -> float:
        jitter = 1 - JITTER + 2 * JITTER * self._steadiness.random()
        doubled = min(FIRST_WAIT * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT) * jitter
        asked = None if self._error is None else self._error.retry_after
        return max(asked or 0.0, doubled)

    def _stop(self, state: RetryCallState) -> bool:
        return state.attempt_number >= TRIES or state.upcoming_sleep > self._effort.seconds_left

    async def _plan(self, seconds: float) -> None:
        self._pause = seconds  # is waited for where it can be told

    async def _tried(self) -> AsyncGenerator[Delta, None]:
        """Ask once, and once more for each parameter that is refused."""
        while True:
            async with aclosing(self._prepared()) as notices:
                async for word in notices:
                    yield word
            trial = Trial(self.candidate.provider, self._sent())
            async with aclosing(trial.deltas()) as deltas:
                async for delta in deltas:
                    if trial.is_settled and not self._effort.is_settled:
                        self._settle()
                    yield self._marked(delta)
            await self._judge(trial)
            if not self._drops():
                return

    async def _prepared(self) -> AsyncGenerator[Delta, None]:
        """Wait as long as has to be, and say what will be missing."""
        pause, self._pause = self._pause, 0.0
        if pause and self._error is not None:
            async with aclosing(self._effort.pause(pause, self._error.message)) as waits:
                async for waiting in waits:
                    yield waiting
        for left_out in self._left_out():
            yield left_out
        if self._request.resume is None and self._begun is None:
            turn = self._effort.turn(self.candidate.server, self._request)
            async with aclosing(turn) as waits:
                async for waiting in waits:
                    yield waiting

    def _left_out(self) -> Iterator[Noticed]:
        model = self.candidate.model
        for parameter in missed(self._request):
            if (model, parameter) not in self._told:
                self._told.add((model, parameter))
                yield notice(parameter, model)

    def _sent(self) -> ModelRequest:
        if self._request.resume is not None:
            return replace(self._request, resume=self._request.resume.partition(AT)[2])
        return replace(with_stand_ins(self._request), resume=self._begun)

    def _settle(self) -> None:
        candidate, self._effort.is_settled = self.candidate, True
        self._steadiness.breaker.reached(candidate.server)
        if self._dropped:
            self._steadiness.refused.note(candidate.server, self._request, self._dropped)

    def _marked(self, delta: Delta) -> Delta:
        if isinstance(delta, Begun):
            return Begun(f"{self.candidate.server}{AT}{delta.id}")
        return delta

    async def _judge(self, trial: Trial) -> None:
        """Take note of how a try has ended."""
        self._error = error = trial.error
        if error is None:
            return
        breaker, server = self._steadiness.breaker, self.candidate.server
        if isinstance(error, Unreachable):
            breaker.failed(server)
        else:
            breaker.reached(server)
        if error.code is RunErrorCode.RATE_LIMIT_EXCEEDED and error.trouble is Trouble.PASSING:
            breaker.rest(server, error.retry_after or 0.0)
        if trial.broke:
            self._begun = trial.begun or self._begun
        elif self._begun is not None:
            # It cannot be picked up after all. Nothing of it was seen, so it is asked for anew.
            await self.abandon()
            self._begun = None
            self._error = UpstreamError(error.message, error.code, retry_after=error.retry_after)

    def _drops(self) -> bool:
        """Leave out what was refused; return whether there was something."""
        reduced = None if self._error is None else self._reduced(self._error)
        self._request = reduced or self._request
        return reduced is not None

    def _reduced(self, error: UpstreamError) -> ModelRequest | None:
        if error.parameter == IMAGES:
            images = frozenset({IMAGES})
            self._steadiness.refused.note(self.candidate.server, self._request, images)
            return without_former_images(self._request)
        parameter = droppable(error.parameter, self._request)
        if parameter is None or error.trouble is not Trouble.PARAMETER:
            return None
        if len(self._dropped) >= MOST_DROPPED:
            return None
        self._dropped |= {parameter}
        return replace(self._request, refused=self._request.refused | {parameter})


def fallback(asked: str, answered: str, reason: str) -> Noticed:
    """Say that another model answers because the one asked for could not."""
    named = "the usual model" if asked == DEFAULT_MODEL else asked
    return Noticed(
        "fallback",
        f"{answered} answers in place of {named}: {reason}",
        {"asked": asked, "answered": answered, "reason": reason},
    )


def _is_notice(delta: Delta) -> bool:
    return isinstance(delta, Noticed)


def _failure(failed: Failed, rivals: Rivals) -> UpstreamError:
    """Return why nobody could answer."""
    if not failed:
        words = f"{rivals.reason}, and no other model is there that could take its place."
        return UpstreamError(words, RunErrorCode.INVALID_PROMPT, trouble=Trouble.REQUEST)
    error = failed[0][1]
    if len(failed) == 1:
        return error
    others = [f"{other.model} was asked instead: {why.message}" for other, why in failed[1:]]
    return UpstreamError(
        " ".join([error.message, *others]),
        error.code,
        trouble=error.trouble,
        retry_after=error.retry_after,
        parameter=error.parameter,
    )
