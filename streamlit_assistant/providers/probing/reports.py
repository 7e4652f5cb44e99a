"""Has the model tested when somebody asks for it, once at a time."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from streamlit_assistant.providers.capabilities import Check, Report
from streamlit_assistant.providers.known_capabilities import KnownCapabilities
from streamlit_assistant.providers.probing.inquiry import Inquiry
from streamlit_assistant.providers.probing.probe import Subject, probe
from streamlit_assistant.records import Clock

logger = logging.getLogger(__name__)


class ProbeReports:
    """The tests of one process."""

    def __init__(
        self,
        subject: Callable[[], Awaitable[Subject]],
        known: KnownCapabilities,
        clock: Clock = time.time,
    ) -> None:
        """`subject` says who is to be tested now; what is found out is told to `known`."""
        self._subject = subject
        self._known = known
        self._clock = clock
        self._testing: asyncio.Task[Report] | None = None
        self._checks: list[Check] = []

    @property
    def under_way(self) -> Sequence[Check] | None:
        """What the test that is being made has shown so far; None: none is being made."""
        return None if self._testing is None else self._checks

    def begin(self) -> "asyncio.Task[Report]":
        """Return the test that is being made, or the one that begins now.

        It goes on whether or not somebody waits for it.
        """
        if self._testing is None:
            self._checks = []
            self._testing = asyncio.create_task(self._test())
            self._testing.add_done_callback(self._end)
        return self._testing

    async def latest(self, subject: Subject) -> Report | None:
        """Return the last report on a model, whichever process has made it."""
        return await self._known.report(subject.server, subject.model)

    async def report(self) -> Report:
        """Test, or wait for the test that is being made."""
        return await asyncio.shield(self.begin())

    async def _test(self) -> Report:
        subject = await self._subject()
        report = await made_report(subject, self._clock, self._checks.append)
        await self._known.keep(report)
        return report

    def _end(self, task: "asyncio.Task[Report]") -> None:
        self._testing = None
        # Also where nobody waits for it: at its end the server closes what is asked.
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the test of the model failed", exc_info=error)


async def made_report(subject: Subject, clock: Clock, tell: Callable[[Check], None]) -> Report:
    """Test a model; each check is told as soon as it is made."""
    inquiry = Inquiry(subject.provider, subject.model, server=subject.server)
    checks: list[Check] = []
    async with aclosing(probe(subject, inquiry)) as made:
        async for check in made:
            checks.append(check)
            tell(check)
    return Report(
        subject.server,
        subject.model,
        subject.api,
        tuple(checks),
        subject.shutdown_date,
        int(clock()),
        inquiry.tokens,
        inquiry.is_estimated,
    )
