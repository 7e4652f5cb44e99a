"""Bodies are known again however they arrive, and forms whatever their boundary."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from streamlit_assistant.api.hashed_body import HashedBody

ROWS = b'--%b\r\nContent-Disposition: form-data; name="file"\r\n\r\n%b\r\n--%b--\r\n'


async def sha256(pieces: Sequence[bytes], content_type: str = "application/json") -> str | None:
    """The hash of a body that comes in pieces."""
    body = HashedBody(scope(content_type), Receiving(pieces))
    await body.read_out()
    return body.sha256


def scope(content_type: str) -> dict[str, object]:
    return {"type": "http", "headers": [(b"content-type", content_type.encode("latin-1"))]}


class Receiving:
    """A connection on which these pieces come."""

    def __init__(self, pieces: Sequence[bytes], *, ends: bool = True) -> None:
        left = list(pieces) or [b""]
        self._messages: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": not ends or number < len(left)}
            for number, piece in enumerate(left, start=1)
        ]

    async def __call__(self) -> Message:
        return self._messages.pop(0) if self._messages else {"type": "http.disconnect"}


def form(boundary: str, content: bytes) -> bytes:
    return ROWS % (boundary.encode(), content, boundary.encode())


def of_form(boundary: str) -> str:
    return f'multipart/form-data; boundary="{boundary}"'


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(ends)]


boundaries = st.text("01", min_size=1, max_size=12)  # neither is in a form's own rows


@given(st.text("01ab-\r\n", max_size=60), st.lists(st.integers(0, 500), max_size=8), boundaries)
async def test_a_form_is_the_same_however_it_is_cut(
    content: str, places: list[int], boundary: str
) -> None:
    body = form(boundary, content.encode())

    assert await sha256(cut(body, places), of_form(boundary)) == await sha256(
        [body], of_form(boundary)
    )


@given(st.text("ab-\r\n", max_size=60), boundaries, boundaries)
async def test_a_form_is_the_same_with_another_boundary(content: str, one: str, other: str) -> None:
    first = await sha256([form(one, content.encode())], of_form(one))

    assert await sha256([form(other, content.encode())], of_form(other)) == first
    assert await sha256([form(other, b"c" + content.encode())], of_form(other)) != first


@given(st.binary(max_size=40), st.binary(max_size=40), st.lists(st.integers(0, 100), max_size=5))
async def test_bodies_have_one_hash_if_they_are_the_same_and_two_if_not(
    one: bytes, other: bytes, places: list[int]
) -> None:
    assert await sha256(cut(one, places)) == await sha256([one])
    assert (await sha256([one]) == await sha256([other])) == (one == other)


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data", 'multipart/form-data; boundary=""', "\xff;="],
)
async def test_what_has_no_boundary_is_hashed_as_it_is(content_type: str) -> None:
    assert await sha256([b'{"a":', b"1}"], content_type) == await sha256([b'{"a":1}'])


async def test_a_body_that_breaks_off_has_no_hash() -> None:
    body = HashedBody(scope(""), Receiving([b"half "], ends=False))

    await body.read_out()

    assert body.sha256 is None


async def test_a_body_is_passed_on_and_kept_up_to_a_size() -> None:
    first = HashedBody(scope(""), Receiving([b"ab", b"cd"]))
    messages = [await first.receive(), await first.receive(), await first.receive()]

    assert [message.get("body") for message in messages] == [b"ab", b"cd", None]
    assert await first.read_out() == b""
    assert await HashedBody(scope(""), Receiving([b"ab", b"cd"])).read_out(keep=4) == b"abcd"
    assert await HashedBody(scope(""), Receiving([b"ab", b"cd"])).read_out(keep=3) == b""
