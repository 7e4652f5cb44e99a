"""What the executor clears away while it runs."""

import asyncio

import pytest

from streamlit_assistant.errors import NotFound
from streamlit_assistant.runs.housekeeping import LEFT_SECONDS
from streamlit_assistant.store import Store
from tests.conftest import FakeClock
from tests.factories import OWNER, make_message, make_thread
from tests.runs.test_executor import site
from tests.scripted_provider import STOP, Line

pytestmark = pytest.mark.both_databases


async def test_a_temporary_thread_goes_once_it_has_been_left(
    store: Store, clock: FakeClock
) -> None:
    thread = make_thread(temporary=True, created_at=int(clock.now))
    message = make_message(thread.id, created_at=int(clock.now))
    await store.threads.add(thread, [message])

    clock.now += LEFT_SECONDS
    answer: list[Line] = ["Hi", STOP]
    async with site(store, clock, *[answer] * 1000) as s:
        await s.ended(await s.ask())  # meanwhile each of the loops has had its turn
        assert await store.threads.get(OWNER, thread.id)

        clock.now += 1
        await s.next_process()
        with pytest.raises(NotFound):
            async with asyncio.timeout(10):
                while await store.threads.get(OWNER, thread.id):
                    await s.ended(await s.ask())
