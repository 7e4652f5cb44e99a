"""Waiting for an event, but not for ever. Part of the floor."""

import asyncio


async def came_within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event at most so long; return whether it came."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
