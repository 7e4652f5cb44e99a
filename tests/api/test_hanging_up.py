"""Clients that hang up in the middle of an answer: nothing is left open or locked."""

import gc
import socket
import time
from urllib.parse import urlsplit

import httpx

from tests.conftest import API_KEY, LiveServer

MOMENTS = 8  # milliseconds after the request; each is tried several times
CONTENT = b"0123456789" * 300_000


def test_a_download_that_is_broken_off_leaves_no_file_open(
    offline: LiveServer, http: httpx.Client
) -> None:
    files = {"file": ("long.txt", CONTENT)}
    made = http.post("/files", files=files, data={"purpose": "assistants"}).json()
    path = f"/v1/files/{made['id']}/content"
    head = f"GET {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {API_KEY}\r\n\r\n"
    address = urlsplit(offline.url)

    for number in range(10 * MOMENTS):
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as line:
            line.sendall(head.encode())
            time.sleep(0.001 * (number % MOMENTS))

    assert http.get(f"/files/{made['id']}/content").content == CONTENT
    # An open file that nobody holds any more is a warning here, and so a failure.
    gc.collect()
