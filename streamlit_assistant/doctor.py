"""`start doctor`: tests the model server of the settings and says in plain words what it can do.

It opens no database and no port, and keeps nothing, so it can be run beside the server.
"""

import textwrap
import time
from collections.abc import Iterator
from typing import TextIO

from streamlit_assistant.catalogue import ENGLISH, read_catalogue
from streamlit_assistant.providers import ProviderRegistry
from streamlit_assistant.providers.capabilities import Capability, Check, Report, Verdict
from streamlit_assistant.providers.model_settings import options_of, upstream_of
from streamlit_assistant.providers.probing.probe import NOT_TESTED, OFFLINE, Subject
from streamlit_assistant.providers.probing.reports import made_report
from streamlit_assistant.settings import Settings

WIDTH = 79  # of the terminal; a line of 80 would wrap in some
NAME_WIDTH, VERDICT_WIDTH = 17, 9
WORKS, DOES_NOT = 0, 1  # exit codes


async def examine(settings: Settings, out: TextIO) -> int:
    """Test who answers, print what was found and return the exit code: 0 if a model answers."""
    table = Table(out)
    registry = ProviderRegistry(
        upstream_of(settings),
        embedding_model=settings.embedding_model,
        options=options_of(settings),
    )
    try:
        subject = await registry.subject()
        table.begin(subject)
        if subject.api == OFFLINE:
            return DOES_NOT
        report = await made_report(subject, time.time, table.row)
    finally:
        await registry.close()
    table.end(report)
    return WORKS if report.can_answer else DOES_NOT


class Table:
    """What the test has shown, row by row, for a terminal of 80 columns."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._words = read_catalogue(ENGLISH)

    def begin(self, subject: Subject) -> None:
        """Say who is tested and what that costs."""
        if subject.api == OFFLINE:
            self._paragraph(self._words["model.offline"])
            return
        self._line("")
        self._fact("model.server", subject.server)
        self._fact("model.protocol", self._words.get(f"model.api.{subject.api}", subject.api))
        self._fact("model.model", subject.model or "?")
        if subject.shutdown_date:
            self._fact("model.shutdown", subject.shutdown_date)
        self._line("")
        self._paragraph(self._words["model.cost"])
        self._line("")

    def row(self, check: Check) -> None:
        """Say what the test of one capability has shown, if it was tested."""
        if check.detail == NOT_TESTED:
            return
        name = self._words[f"model.name.{check.name}"]
        first = f"{name:<{NAME_WIDTH}}{self._words[f'model.verdict.{check.verdict}']}"
        self._hang(f"{first:<{NAME_WIDTH + VERDICT_WIDTH}}", check.detail)

    def end(self, report: Report) -> None:
        """Say what that means for whoever uses the site."""
        consequences = list(self._consequences(report)) if report.can_answer else []
        if consequences:
            self._line("\nWhat this means:")
        for sentence in consequences:
            self._hang("- ", sentence)
        about = "about " if report.is_estimated else ""
        self._line(f"\nThe test has cost {about}{report.tokens:,} tokens.")
        self._line("The model answers." if report.can_answer else "The model does not answer.")

    def _consequences(self, report: Report) -> Iterator[str]:
        if report.shutdown_date:
            yield self._words["model.shutdown_soon"].format(date=report.shutdown_date)
        for check in lacking(report):
            yield self._words[f"model.lacks.{check.name}"]

    def _fact(self, key: str, value: str) -> None:
        self._hang(f"{self._words[key]:<{NAME_WIDTH}}", value)

    def _paragraph(self, text: str) -> None:
        for line in text.split("\n"):
            self._line(textwrap.fill(_printable(line), WIDTH))

    def _hang(self, first: str, text: str) -> None:
        self._line(
            textwrap.fill(
                _printable(text), WIDTH, initial_indent=first, subsequent_indent=" " * len(first)
            )
            or first
        )

    def _line(self, text: str) -> None:
        encoding = self._out.encoding or "utf-8"
        # Nobody shall miss the rest because a terminal lacks a letter.
        self._out.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._out.flush()


def lacking(report: Report) -> Iterator[Check]:
    """Yield what people will miss; what follows from something else is left out."""
    follows = {Capability.REASONING}  # nobody misses it: such a model answers sooner
    if report.verdict(Capability.TOOLS) is Verdict.NO:
        follows |= {Capability.PARALLEL_TOOLS, Capability.TOOL_CHOICE}
    for check in report.checks:
        unsaid = check.name is Capability.CONTEXT_LENGTH and check.verdict is Verdict.UNKNOWN
        if (check.verdict is Verdict.NO or unsaid) and check.name not in follows:
            yield check


def _printable(text: str) -> str:
    """The same text without what would move the cursor or change the colours."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
