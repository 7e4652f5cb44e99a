"""Waiting for a process to answer, to the millisecond."""

import subprocess
import time

import httpx2

LONGEST_WAIT = 60.0  # seconds
LOOK_EVERY = 0.002


def wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return as soon as the address answers with 200."""
    deadline = time.monotonic() + LONGEST_WAIT
    with httpx2.Client(trust_env=False, timeout=LONGEST_WAIT) as client:
        while time.monotonic() < deadline:
            assert process.poll() is None, "the process has ended"
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx2.TransportError:
                pass  # not listening yet
            time.sleep(LOOK_EVERY)
    raise AssertionError(f"{url} does not answer")
