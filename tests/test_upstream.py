import json
import re
import socket
import threading
import time
from collections.abc import Iterator

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from tests.start_process import free_port
from tests.upstream import Upstream, model_process, model_server
from tests.upstream_mind import think
from tests.upstream_scripts import (
    Answer,
    Body,
    Ending,
    Silence,
    context_too_long,
    empty_stream,
    llama_cpp_context_too_long,
    markdown,
    model_not_found,
    numbered,
    out_of_credit,
    rate_limited,
    server_error,
    spoken,
    web_page,
    wrong_key,
)

SOON = 10.0  # seconds; nothing here takes nearly as long


OPENED: list[openai.OpenAI] = []


@pytest.fixture(autouse=True)
def _closed_clients() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with model_server() as served:
        yield served


def client(upstream: Upstream, timeout: float = SOON) -> openai.OpenAI:
    opened = openai.OpenAI(
        base_url=upstream.base_url, api_key="none", max_retries=0, timeout=timeout
    )
    OPENED.append(opened)
    return opened


def ask(upstream: Upstream, *turns: str) -> str:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": turn} for turn in turns
    ]
    answer = client(upstream).chat.completions.create(model="m", messages=messages)
    return str(answer.choices[0].message.content)


def stream(upstream: Upstream, timeout: float = SOON) -> list[ChatCompletionChunk]:
    with client(upstream, timeout).chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        stream_options={"include_usage": True},
    ) as chunks:
        return list(chunks)


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def raw_stream(upstream: Upstream) -> bytes:
    body = {"model": "m", "messages": [], "stream": True}
    return httpx2.post(f"{upstream.base_url}/chat/completions", json=body).content


def test_it_remembers_only_what_it_is_sent(upstream: Upstream) -> None:
    assert ask(upstream, "My name is Ada.", "What is my name?") == "Your name is Ada."
    assert ask(upstream, "What is my name?") == "You have not told me your name."
    assert ask(upstream, "我叫小明。", "我叫什么名字？") == "Your name is 小明."
    assert ask(upstream, "My name is Ada.\n\nWhat is my name?") == "Your name is Ada."
    assert ask(upstream, "one", "two") == "Turn 2. You said: two"


def test_it_reads_parts_and_takes_orders() -> None:
    part = {"type": "text", "text": "Please count to 3 at 20 tokens per second."}

    assert think([{"role": "user", "content": [part]}]) == numbered(3, 20)
    assert think([{"role": "user", "content": "count in markdown to 50"}]) == markdown(50)


def test_characters_may_be_cut_in_two_between_packets(upstream: Upstream) -> None:
    upstream.queue(Answer(["小智", "🙂"], byte_by_byte=True))

    assert text_of(stream(upstream)) == "小智🙂"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_may_end_for_other_reasons(upstream: Upstream, reason: str) -> None:
    upstream.queue(Answer(["a"], reason=reason))

    assert reason in [chunk.choices[0].finish_reason for chunk in stream(upstream) if chunk.choices]


def test_a_stream_may_end_without_a_word_about_it(upstream: Upstream) -> None:
    upstream.queue(Answer(["a"], ending=Ending.EARLY), Answer(["a"], ending=Ending.NO_FINISH))
    early, no_finish = raw_stream(upstream), raw_stream(upstream)

    assert b'finish_reason": null' in early and b"[DONE]" not in early
    assert b'"stop"' not in no_finish and no_finish.endswith(b"data: [DONE]\n\n")


def test_a_stream_may_be_empty_and_a_stream_may_be_one_body(upstream: Upstream) -> None:
    upstream.queue(empty_stream(), Answer(["a"], as_one_body=True))

    assert stream(upstream) == []
    assert stream(upstream) == []  # that is all the client makes of it
    upstream.queue(Answer(["a"], as_one_body=True))
    assert json.loads(raw_stream(upstream))["choices"][0]["message"]["content"] == "a"


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.RESET])
def test_a_connection_may_break_in_mid_stream(upstream: Upstream, ending: Ending) -> None:
    upstream.queue(Answer(["a"], ending=ending))

    with pytest.raises((openai.APIConnectionError, httpx2.HTTPError)):
        stream(upstream)
    assert not upstream.requests[0].hung_up.is_set()


def test_a_reset_is_a_reset(upstream: Upstream) -> None:
    upstream.queue(Answer(["a"], ending=Ending.RESET))
    body = json.dumps({"messages": [], "stream": True}).encode()

    with socket.create_connection(("127.0.0.1", upstream.port), timeout=SOON) as connection:
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        with pytest.raises(ConnectionResetError):
            while connection.recv(65536):
                pass


def test_a_stream_may_report_an_error_or_break_its_json(upstream: Upstream) -> None:
    upstream.queue(Answer(["a"], ending=Ending.ERROR), Answer(["a"], ending=Ending.BROKEN_JSON))

    with pytest.raises(openai.APIError, match="Provider returned error"):
        stream(upstream)
    with pytest.raises(json.JSONDecodeError):
        stream(upstream)


@pytest.mark.parametrize("script", [Silence(), Answer(["a"], ending=Ending.HANG)])
def test_a_server_may_fall_silent_and_notices_who_gives_up(
    upstream: Upstream, script: Silence | Answer
) -> None:
    upstream.queue(script)

    with pytest.raises(openai.APITimeoutError):
        stream(upstream, timeout=0.2)
    assert upstream.requests[0].hung_up.wait(SOON)


def test_a_client_that_stays_to_the_end_did_not_hang_up(upstream: Upstream) -> None:
    stream(upstream)

    assert upstream.requests[0].answered.wait(SOON)
    assert not upstream.requests[0].hung_up.is_set()


@pytest.mark.parametrize(
    ("script", "error", "code"),
    [
        (rate_limited(), openai.RateLimitError, "rate_limit_exceeded"),
        (out_of_credit(), openai.RateLimitError, "insufficient_quota"),
        (server_error(), openai.InternalServerError, None),
        (server_error(503), openai.InternalServerError, None),
        (wrong_key(), openai.AuthenticationError, "invalid_api_key"),
        (context_too_long(), openai.BadRequestError, "context_length_exceeded"),
        (llama_cpp_context_too_long(), openai.BadRequestError, "400"),
        (model_not_found(), openai.NotFoundError, None),
        (web_page(502), openai.InternalServerError, None),
    ],
)
def test_refusals_reach_the_client_as_its_exceptions(
    upstream: Upstream, script: Body, error: type[openai.APIStatusError], code: str | None
) -> None:
    upstream.queue(script)

    with pytest.raises(error) as raised:
        stream(upstream)
    assert raised.value.code == code
    for name, value in script.headers.items():
        assert raised.value.response.headers[name] == value


def test_a_refused_key_is_repeated_in_part() -> None:
    shown = json.dumps(wrong_key("sk-proj-abcdefghijklmnop1234").content)

    assert "sk-proj-" in shown and "1234" in shown and "abcdefgh" not in shown


def test_a_gate_holds_the_answer_until_it_is_opened(upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.queue(Answer(["a", gate, "b"]))

    chunks = client(upstream).chat.completions.create(model="m", messages=[], stream=True)
    first = next(iter(chunks)).choices[0].delta.content
    assert not upstream.requests[0].answered.is_set()
    gate.set()

    assert (first, text_of(list(chunks))) == ("a", "b")


def test_numbered_tokens_keep_their_rate_and_their_times(upstream: Upstream) -> None:
    upstream.queue(numbered(21, rate=200))
    began = time.time()

    assert text_of(stream(upstream)).split() == [f"t{number}" for number in range(1, 22)]

    (sent,) = httpx2.get(upstream.base_url.replace("/v1", "/_sent")).json()
    assert len(sent) == 21 and sent == sorted(sent)
    assert sent[-1] - sent[0] >= 0.099
    assert began <= sent[0]


def test_scripts_are_used_up_in_order_and_requests_are_kept(upstream: Upstream) -> None:
    upstream.queue(spoken("one"), spoken("two"))

    assert [ask(upstream, "x"), ask(upstream, "y"), ask(upstream, "z")] == [
        "one",
        "two",
        "Turn 1. You said: z",
    ]
    assert [request.messages[-1]["content"] for request in upstream.requests] == ["x", "y", "z"]
    assert upstream.requests[0].headers["authorization"] == "Bearer none"


def test_it_lists_its_models() -> None:
    with model_server(models=("a", "b")) as upstream:
        assert [model.id for model in client(upstream).models.list()] == ["a", "b"]


def test_tokens_of_text_and_of_markdown_are_all_of_it() -> None:
    text = "A word，两个字 and\na `line`."

    assert spoken(text).text == text


def test_markdown_is_numbered_as_well() -> None:
    numbers = re.findall(r"\bt(\d+)\b", markdown(100).text)

    assert numbers == [str(number) for number in range(1, 101)]
    assert len(markdown(100).tokens) == 100
    assert markdown(100).text.count("```") == 8


def test_it_can_come_back_on_the_same_port() -> None:
    with model_server() as first:
        ask(first, "Hi")
    with pytest.raises(openai.APIConnectionError):
        ask(first, "Hi")
    with model_server(port=first.port) as again:
        assert ask(again, "Hi") == "Turn 1. You said: Hi"


def test_it_runs_as_a_process_of_its_own() -> None:
    with model_process(free_port()) as base_url:
        assert httpx2.get(f"{base_url}/models").json()["data"][0]["id"] == "scripted"


def test_it_answers_for_every_host_whose_proxy_it_is(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", upstream.address)
    with openai.OpenAI(base_url="http://api.example.com/v1", api_key="k", max_retries=0) as there:
        answer = there.responses.create(model="m", input="Hi")

    assert answer.output_text == "Turn 1. You said: Hi"
    assert upstream.requests[0].headers["host"] == "api.example.com"
    assert upstream.requests[0].path == "/v1/responses"
