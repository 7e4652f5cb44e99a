"""What tests have shown, told from one process to the others."""

import asyncio
import copy
import time
from dataclasses import replace
from typing import Any

import pytest

from streamlit_assistant.providers.capabilities import Capability, Check, Report, Verdict
from streamlit_assistant.providers.known_capabilities import (
    KEPT_SECONDS,
    MOST_MODELS,
    PATIENCE_SECONDS,
    KnownCapabilities,
)
from streamlit_assistant.providers.report_json import decoded, encoded, report_key
from tests.conftest import FakeClock

SERVER, MODEL = "http://me:secret@x/v1", "m"
NO_EYES = frozenset({"tools", "json_schema"})


class Shelf:
    """What all processes share; it counts how often it is asked."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.asked = 0

    async def get(self, key: str) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        return copy.deepcopy(self.kept.get(key))

    async def put(self, key: str, report: Any) -> None:
        self.kept[key] = report


class Lost(Shelf):
    """A shelf whose database is away."""

    async def put(self, _key: str, _report: Any) -> None:
        """Forget it."""


class Hanging(Shelf):
    """A shelf whose database does not answer."""

    async def get(self, key: str) -> Any:
        await super().get(key)
        await asyncio.Event().wait()


class Broken(Shelf):
    """A shelf with a mistake of ours in it."""

    async def get(self, key: str) -> Any:
        raise KeyError(key)


def report(probed_at: int = 10, **verdicts: Verdict) -> Report:
    found = {"streaming": Verdict.YES, **verdicts}
    checks = [Check(Capability(name), verdict, "é", 1.5, 3) for name, verdict in found.items()]
    return Report(SERVER, MODEL, "chat", tuple(checks), "2027-01-14", probed_at, 450, True)


BLIND = report(vision=Verdict.NO)
SILENT = report(20, streaming=Verdict.NO, tools=Verdict.NO)


async def test_what_one_process_finds_out_the_others_know() -> None:
    shelf = Shelf()
    one, other = KnownCapabilities(shelf), KnownCapabilities(shelf)
    await one.keep(BLIND)
    before = other.of(SERVER, MODEL)
    await other.learn(SERVER, MODEL)

    assert before is None
    assert other.of(SERVER, MODEL) == one.of(SERVER, MODEL) == NO_EYES
    assert await other.report(SERVER, MODEL) == BLIND
    assert await other.report(SERVER, "other") is None
    assert await other.report("http://y/v1", MODEL) is None


async def test_a_model_that_does_not_answer_today_keeps_what_it_has_shown() -> None:
    shelf = Shelf()
    one, other, third = (KnownCapabilities(shelf) for _ in range(3))
    await one.keep(BLIND)
    await one.keep(SILENT)
    await other.learn(SERVER, MODEL)
    # One that was never asked to look before it makes its own test.
    await third.keep(replace(SILENT, probed_at=30))
    await other.learn(SERVER, MODEL)
    fresh = KnownCapabilities(shelf)
    await fresh.learn(SERVER, MODEL)

    assert other.of(SERVER, MODEL) == fresh.of(SERVER, MODEL) == NO_EYES
    assert await fresh.report(SERVER, MODEL) == replace(SILENT, probed_at=30)


async def test_the_others_are_looked_at_once_in_a_while(clock: FakeClock) -> None:
    shelf = Shelf()
    known = KnownCapabilities(shelf, clock=clock)
    await asyncio.gather(*(known.learn(SERVER, MODEL) for _ in range(20)))
    once = shelf.asked
    await KnownCapabilities(shelf).keep(BLIND)
    clock.now += KEPT_SECONDS - 1
    await known.learn(SERVER, MODEL)
    still = known.of(SERVER, MODEL)
    clock.now += 1
    await known.learn(SERVER, MODEL)

    assert (once, still, known.of(SERVER, MODEL)) == (1, None, NO_EYES)


async def test_a_newer_test_of_another_process_counts_and_an_older_one_does_not(
    clock: FakeClock,
) -> None:
    shelf, lost = Shelf(), Lost()
    one = KnownCapabilities(shelf, clock=clock)
    await one.keep(BLIND)
    await KnownCapabilities(shelf).keep(report(11))
    clock.now += KEPT_SECONDS
    await one.learn(SERVER, MODEL)
    newer = one.of(SERVER, MODEL)
    one.kept = lost
    await one.keep(report(12, tools=Verdict.NO))
    one.kept = shelf
    clock.now += KEPT_SECONDS
    await one.learn(SERVER, MODEL)

    assert newer == NO_EYES | {"vision"}
    assert one.of(SERVER, MODEL) == frozenset({"vision", "json_schema"})
    assert await one.report(SERVER, MODEL) == report(12, tools=Verdict.NO)


async def test_nobody_waits_for_a_database_that_hangs() -> None:
    shelf = Hanging()
    known = KnownCapabilities(shelf)
    began = time.monotonic()
    await asyncio.gather(*(known.learn(SERVER, MODEL) for _ in range(5)))
    took = time.monotonic() - began
    await known.close()

    assert took < 2 * PATIENCE_SECONDS
    assert shelf.asked == 1


async def test_a_defect_is_in_the_log_and_harms_no_run(caplog: pytest.LogCaptureFixture) -> None:
    known = KnownCapabilities(Broken())
    await known.learn(SERVER, MODEL)
    await asyncio.sleep(0)

    assert known.of(SERVER, MODEL) is None
    assert "KeyError" in caplog.text


async def test_a_process_alone_keeps_its_own() -> None:
    known = KnownCapabilities()
    await known.keep(BLIND)
    await known.learn(SERVER, MODEL)

    assert (known.of(SERVER, MODEL), await known.report(SERVER, MODEL)) == (NO_EYES, BLIND)


async def test_a_test_of_nobody_is_not_for_the_others() -> None:
    shelf = Shelf()
    await KnownCapabilities(shelf).keep(replace(BLIND, server=""))

    assert shelf.kept == {}


async def test_made_up_names_do_not_pile_up() -> None:
    known = KnownCapabilities(Shelf())
    for number in range(MOST_MODELS + 10):
        await known.learn(SERVER, f"m{number}")

    assert len(known._fresh_until) <= MOST_MODELS


async def test_neither_address_nor_password_is_kept_in_the_open() -> None:
    shelf = Shelf()
    await KnownCapabilities(shelf).keep(BLIND)

    assert "secret" not in str(shelf.kept)
    assert list(shelf.kept) == [report_key(SERVER, MODEL)]
    assert len(report_key("\ud800" * 9000, "\0")) == 64
    assert report_key("a", "b") != report_key("ab", "")


def test_a_report_is_read_back_as_it_was() -> None:
    kept = encoded(BLIND)

    assert decoded(SERVER, MODEL, kept) == BLIND
    assert set(kept) & {"server", "model"} == set()


@pytest.mark.parametrize(
    "kept",
    [
        None,
        [],
        {},
        {"checks": []},
        {"checks": 3, "api": "chat"},
        {"checks": [3], "api": "chat"},
        {"checks": [{"name": "telepathy", "verdict": "yes", "detail": ""}], "api": "chat"},
        {"checks": [], "api": "chat", "more": 1},
    ],
)
async def test_a_report_of_another_version_is_no_report(kept: Any) -> None:
    shelf = Shelf()
    shelf.kept[report_key(SERVER, MODEL)] = {"report": kept, "capabilities": ["tools"]}
    known = KnownCapabilities(shelf)
    await known.learn(SERVER, MODEL)

    assert (known.of(SERVER, MODEL), await known.report(SERVER, MODEL)) == (None, None)
