"""What tests have shown of models, in this process and in the others that keep their reports."""

import time
from functools import partial
from typing import Protocol

from streamlit_assistant.providers.capabilities import NEEDED, Report, Verdict
from streamlit_assistant.providers.errands import Errands
from streamlit_assistant.providers.report_json import decoded, encoded, report_key
from streamlit_assistant.records import JSON, Clock

MOST_MODELS = 1000  # whose names are remembered: whoever sends a request may name any
PATIENCE_SECONDS = 0.3  # of a run, for what is kept
KEPT_SECONDS = 30.0  # before it is looked again for what other processes have found out


class KeptReports(Protocol):
    """Where the last report on each model is kept. It never fails: it forgets instead."""

    async def get(self, key: str) -> JSON | None:
        """Return what is kept under the key."""
        ...

    async def put(self, key: str, report: JSON) -> None:
        """Keep a report in place of the one before."""
        ...


class KnownCapabilities:
    """What tests have shown so far, for whoever looks for a model that can take a request.

    `kept` is where the reports of all processes are; None: each keeps its own.
    """

    def __init__(self, kept: KeptReports | None = None, *, clock: Clock = time.monotonic) -> None:
        self.kept = kept
        self._clock = clock
        self._known: dict[tuple[str, str], frozenset[str]] = {}
        self._latest: dict[tuple[str, str], Report] = {}
        self._fresh_until: dict[tuple[str, str], float] = {}
        self._errands = Errands()

    def of(self, server: str, model: str) -> frozenset[str] | None:
        """Return which of `NEEDED` a model has; None: nobody knows, so anything may be tried."""
        return self._known.get((server, model))

    def note(self, server: str, model: str, report: Report) -> None:
        """Remember a report, unless the model did not answer at all: that may be about today."""
        self._latest[server, model] = report
        if report.can_answer:
            # The benefit of the doubt: only what was seen to fail is taken for missing.
            has = (name.value for name in NEEDED if report.verdict(name) is not Verdict.NO)
            self._known[server, model] = frozenset(has)

    async def keep(self, report: Report) -> None:
        """Remember a report, here and for the other processes."""
        server, model = report.server, report.model
        await self._read(server, model)  # what the others know is not to be forgotten by this
        self.note(server, model, report)
        known = self.of(server, model)
        if self.kept is not None and server:
            # With what was known before, where this one has shown nothing.
            capabilities = None if known is None else sorted(known)
            kept = {"report": encoded(report), "capabilities": capabilities}
            await self.kept.put(report_key(server, model), kept)

    async def learn(self, server: str, model: str) -> None:
        """Look for what other processes have found out, unless that was done a moment ago."""
        name = (server, model)
        if self.kept is None or self._clock() < self._fresh_until.get(name, float("-inf")):
            return
        # A database that is away must not keep another model from answering.
        self._errands.begin(name, partial(self._read, server, model))
        await self._errands.wait(name, PATIENCE_SECONDS)

    async def close(self) -> None:
        """Look no more."""
        await self._errands.close()

    async def report(self, server: str, model: str) -> Report | None:
        """Return the last report on a model, whichever process has made it."""
        await self._read(server, model)
        return self._latest.get((server, model))

    async def _read(self, server: str, model: str) -> None:
        if self.kept is None:
            return
        kept = await self.kept.get(report_key(server, model))
        if len(self._fresh_until) >= MOST_MODELS:
            self._fresh_until.clear()
        self._fresh_until[server, model] = self._clock() + KEPT_SECONDS
        if kept is not None:
            self._adopt(server, model, kept)

    def _adopt(self, server: str, model: str, kept: JSON) -> None:
        report = decoded(server, model, kept.get("report"))
        ours = self._latest.get((server, model))
        # One that could not be kept is newer than what is.
        if report is None or (ours is not None and ours.probed_at >= report.probed_at):
            return
        self._latest[server, model] = report
        told = kept.get("capabilities")
        if isinstance(told, list):
            self._known[server, model] = frozenset(told)
