"""Stock Streamlit as a process: the peer beside which our figures stand."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.start_process import free_port

STOCK_PAGE = Path(__file__).with_name("stock_page.py")
HEALTH = "/_stcore/health"


@contextmanager
def stock_streamlit(
    folder: Path, *command: str, **environ: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `streamlit` with a subcommand until the block ends; gives its address and process."""
    port = free_port()
    flags = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
        "logger.level": "error",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", *command, *(f"--{k}={v}" for k, v in flags.items())],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environ},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()
