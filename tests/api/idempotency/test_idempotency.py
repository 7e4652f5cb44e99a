"""`Idempotency-Key` on a real wire: whatever is repeated is done once, whatever became of it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import httpx2
import pytest

from tests.api.idempotency.keyed_site import KeyedSite, is_replayed, post, send
from tests.conformance.plain_http import REQUESTS, Wire
from tests.conformance.world import ASSISTANT, TEXT, World
from tests.spec_validator import load_spec
from tests.sse import parse_events

pytestmark = pytest.mark.both_databases

HELLO = {"role": "user", "content": "hi"}
every_post = pytest.mark.parametrize("operation", load_spec().operation_ids("post"))
# What cannot be looked at once its answer is lost, and does no harm when it is done once more.
PURPOSE = {"purpose": "user_data"}
DONE_ANEW = {"createUpload", "addUploadPart", "searchVectorStore", "createVectorStoreFile"}


def made_in(answer: httpx.Response) -> str:
    """The id of what an answer shows; of a stream, that of the run."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return str(answer.json().get("id"))
    [created] = [e for e in parse_events(answer.content) if e.event == "thread.run.created"]
    return str(created.json()["id"])


@every_post
def test_a_repeated_post_gets_the_same_answer_and_does_nothing(
    http: httpx.Client, world: World, key: str, operation: str
) -> None:
    wire = REQUESTS[operation](world)

    first = send(http, key, wire)
    again = send(http, key, wire)

    assert wire.method == "POST"
    assert (first.status_code, is_replayed(first)) == (200, False)
    assert (again.status_code, is_replayed(again)) == (200, True)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotency-key"] == first.headers["idempotency-key"] == key
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


@every_post
def test_a_post_whose_answer_is_lost_with_its_process_is_not_done_again(
    site: KeyedSite, http: httpx.Client, world: World, key: str, operation: str
) -> None:
    wire = REQUESTS[operation](world)
    first = send(http, key, wire)
    site.lose_answer(key)

    again = send(http, key, wire)
    once_more = send(http, key, wire)

    assert first.status_code == again.status_code == 200, again.text
    assert is_replayed(again) == (operation not in DONE_ANEW)
    assert is_replayed(once_more)
    assert once_more.content == again.content
    if operation not in DONE_ANEW:
        assert made_in(again) == made_in(first)


def test_an_answer_too_long_to_be_kept_is_looked_at_again(
    http: httpx.Client, world: World, key: str
) -> None:
    path, long = f"/threads/{world.thread('hi').id}/runs", "🙂" * 256_000
    body = {"assistant_id": ASSISTANT, "instructions": long, "additional_instructions": long}

    first = post(http, key, path, **body)
    again = post(http, key, path, **body)

    assert len(first.content) > 2_000_000
    assert again.json()["id"] == first.json()["id"]
    assert is_replayed(again)
    assert len(http.get(path).json()["data"]) == 1


def test_what_was_deleted_since_is_not_made_again(
    http: httpx.Client, world: World, key: str
) -> None:
    first = post(http, key, "/threads")
    http.delete(f"/threads/{first.json()['id']}")

    again = post(http, key, "/threads")

    assert again.content == first.content
    assert http.get(f"/threads/{first.json()['id']}").status_code == 404


def test_twenty_at_once_post_one_message(
    site: KeyedSite, http: httpx.Client, world: World, key: str
) -> None:
    path = f"/threads/{world.thread().id}/messages"
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(http, key, path, **HELLO), range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum(not is_replayed(answer) for answer in answers) == 1
    assert len(http.get(path).json()["data"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "what"),
    [
        ("/threads", {"metadata": {"other": "body"}}, "another body"),
        ("/threads?other=query", {}, "another address"),
        ("/assistants", {"model": "m"}, "another address"),
        ("/nowhere", {}, "another address"),
    ],
)
def test_a_key_with_another_request_is_refused(
    http: httpx.Client, key: str, path: str, body: dict[str, Any], what: str
) -> None:
    first = post(http, key, "/threads")

    other = post(http, key, path, **body)

    error = other.json()["error"]
    assert (other.status_code, error["code"]) == (400, "idempotency_key_reuse")
    assert what in error["message"]
    assert "new key" in error["message"]
    assert post(http, key, "/threads").content == first.content


def test_a_body_counts_even_where_nobody_reads_it(
    http: httpx.Client, world: World, key: str
) -> None:
    path = f"/uploads/{world.upload()}/cancel"

    first, other = post(http, key, path), post(http, key, path, other="body")

    assert first.json()["status"] == "cancelled"
    assert other.json()["error"]["code"] == "idempotency_key_reuse"


def test_a_lost_answer_is_not_given_to_another_body(
    site: KeyedSite, http: httpx.Client, key: str
) -> None:
    post(http, key, "/threads")
    site.lose_answer(key)

    other = post(http, key, "/threads", metadata={"other": "body"})

    assert other.json()["error"]["code"] == "idempotency_key_reuse"


def test_a_refusal_leaves_the_key_free(http: httpx.Client, key: str) -> None:
    refused = post(http, key, "/threads", metadata=3)
    made = post(http, key, "/threads", metadata={})

    assert (refused.status_code, made.status_code) == (400, 200)
    assert not is_replayed(made)
    assert refused.headers["idempotency-key"] == key


@pytest.mark.parametrize("key", ["", "x" * 256, "clé", "钥匙", "a\tb"])
def test_a_key_that_is_none_is_named(http: httpx.Client, key: str) -> None:
    answer = http.post("/threads", headers=[(b"Idempotency-Key", key.encode())])

    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["error"]["message"]
    assert "idempotency-key" not in answer.headers


def test_two_keys_on_one_request_are_refused(http: httpx.Client) -> None:
    answer = http.post("/threads", headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])

    assert answer.status_code == 400


@pytest.mark.parametrize("key", ["'; DROP TABLE idempotency_keys; --", "%s ~ {}", "x" * 255])
def test_any_other_key_will_do(http: httpx.Client, key: str) -> None:
    assert post(http, key, "/threads").content == post(http, key, "/threads").content


def test_a_key_without_a_valid_login_is_nobodys(http: httpx.Client, key: str) -> None:
    post(http, key, "/threads")

    stranger = http.post(
        "/threads", headers={"Idempotency-Key": key, "Authorization": "Bearer wrong-key-of-mine"}
    )

    assert stranger.status_code == 401


def test_requests_of_other_kinds_may_carry_a_key(http: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key}
    thread = http.post("/threads", headers=headers).json()["id"]

    assert http.get(f"/threads/{thread}", headers=headers).status_code == 200
    assert http.delete(f"/threads/{thread}", headers=headers).status_code == 200


class LosesAnswers(httpx2.BaseTransport):
    """A line that breaks after the request has been carried out, the first few times."""

    def __init__(self, times: int) -> None:
        self._line = httpx2.HTTPTransport()
        self._left = times
        self.keys: list[str | None] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._line.handle_request(request)
        self.keys.append(request.headers.get("idempotency-key"))
        if self._left > 0:
            self._left -= 1
            answer.read()
            answer.close()
            raise httpx2.ReadError("connection reset by peer")
        return answer

    def close(self) -> None:
        self._line.close()


def test_the_official_client_repeats_the_key_by_itself(site: KeyedSite, world: World) -> None:
    thread_id = world.thread().id
    line = LosesAnswers(2)
    with httpx2.Client(transport=line) as http:
        client = site.live.client(http_client=http, max_retries=2)
        made = client.beta.threads.messages.create(
            thread_id, role="user", content="hi", extra_headers={"Idempotency-Key": "mine"}
        )

    assert line.keys == ["mine"] * 3
    assert [m.id for m in world.client.beta.threads.messages.list(thread_id)] == [made.id]


def test_an_upload_is_known_again_whatever_its_boundary(http: httpx.Client, key: str) -> None:
    wire = Wire("POST", "/files", {"files": {"file": ("a.txt", TEXT * 99)}, "data": PURPOSE})

    first, again = send(http, key, wire), send(http, key, wire)
    other = send(http, key, Wire("POST", "/files", {**wire.body, "files": {"file": b"other"}}))

    content_types = {str(each.request.headers["content-type"]) for each in (first, again)}
    assert len(content_types) == 2  # httpx makes a boundary up each time
    assert again.content == first.content
    assert other.json()["error"]["code"] == "idempotency_key_reuse"
