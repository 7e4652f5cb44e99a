"""What is known of models, and what is not."""

import pytest

from streamlit_assistant.providers.capabilities import (
    Capability,
    Check,
    Report,
    Verdict,
)
from streamlit_assistant.providers.known_capabilities import KnownCapabilities

EVERYTHING = frozenset({"tools", "vision", "json_schema"})


def report(**verdicts: Verdict) -> Report:
    checks = [Check(Capability(name), verdict, "") for name, verdict in verdicts.items()]
    return Report("http://x/v1", "m", "chat", checks)


def test_nothing_is_known_of_a_model_that_was_not_tested() -> None:
    known = KnownCapabilities()
    known.note("http://x/v1", "m", report(streaming=Verdict.YES))

    assert known.of("http://x/v1", "other") is None
    assert known.of("http://y/v1", "m") is None


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_what_was_seen_to_fail_is_missing(verdict: Verdict) -> None:
    known = KnownCapabilities()
    known.note("http://x/v1", "m", report(streaming=Verdict.YES, vision=verdict))

    missing = {"vision"} if verdict is Verdict.NO else set()
    assert known.of("http://x/v1", "m") == EVERYTHING - missing


def test_a_model_that_did_not_answer_has_shown_nothing() -> None:
    known = KnownCapabilities()
    known.note("http://x/v1", "m", report(streaming=Verdict.YES))
    known.note("http://x/v1", "m", report(streaming=Verdict.NO, tools=Verdict.NO))

    assert known.of("http://x/v1", "m") == EVERYTHING


def test_a_later_test_counts_for_more() -> None:
    known = KnownCapabilities()
    known.note("http://x/v1", "m", report(streaming=Verdict.YES, tools=Verdict.NO))
    known.note("http://x/v1", "m", report(streaming=Verdict.PARTLY, tools=Verdict.PARTLY))

    assert known.of("http://x/v1", "m") == EVERYTHING


def test_what_was_not_tested_is_unknown() -> None:
    assert report().verdict(Capability.TOOLS) is Verdict.UNKNOWN
    assert not report().can_answer
