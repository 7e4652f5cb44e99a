"""What a model can do and what it cannot, as a test of it has shown: plain data."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Capability(StrEnum):
    """What is tested, in the order in which it is."""

    STREAMING = "streaming"
    LATENCY = "latency"
    USAGE = "usage"  # whether it counts the tokens
    REASONING = "reasoning"  # whether it shows what it thinks
    TOOLS = "tools"
    PARALLEL_TOOLS = "parallel_tools"
    TOOL_CHOICE = "tool_choice"  # whether it obeys: call this one, call none
    JSON_SCHEMA = "json_schema"
    VISION = "vision"
    CONTEXT_LENGTH = "context_length"
    EMBEDDINGS = "embeddings"


class Verdict(StrEnum):
    """What the test of a capability has shown."""

    YES = "yes"
    PARTLY = "partly"  # it works, with a limit that the detail names
    NO = "no"
    UNKNOWN = "unknown"  # the test could not tell: no answer in time, too many requests


# What a request may need: a model that lacks it is no stand-in for one that has it.
NEEDED = (Capability.TOOLS, Capability.VISION, Capability.JSON_SCHEMA)


@dataclass(frozen=True, slots=True)
class Check:
    """One capability, tested; `detail` says what was seen, in words for people.

    `figure` is the number that was measured, if it was one: see `Report`.
    """

    name: Capability
    verdict: Verdict
    detail: str
    seconds: float = 0.0
    figure: float | None = None


@dataclass(frozen=True)
class Report:
    """What a model server can do with one of its models.

    `api` is the protocol that was spoken to it. `shutdown_date` is the day (YYYY-MM-DD) on which
    the model is switched off, where its server tells. `probed_at` in Unix seconds. `tokens` is
    what the test has cost, `is_estimated` unless the server counted all of it. Figures: tokens of
    context, numbers in an embedding, seconds of latency, tokens a second while streaming.
    """

    server: str
    model: str
    api: str
    checks: Sequence[Check]
    shutdown_date: str | None = None
    probed_at: int = 0
    tokens: int = 0
    is_estimated: bool = False

    def verdict(self, name: Capability) -> Verdict:
        """Return what is known of a capability; what was not tested is unknown."""
        found = (check.verdict for check in self.checks if check.name is name)
        return next(found, Verdict.UNKNOWN)

    @property
    def can_answer(self) -> bool:
        """Whether the model answers at all."""
        return self.verdict(Capability.STREAMING) in (Verdict.YES, Verdict.PARTLY)
