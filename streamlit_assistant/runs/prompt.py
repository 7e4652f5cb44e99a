"""From a thread's messages to what the model is shown, within the tokens it may cost."""

import json
from collections.abc import Iterable, Sequence

from streamlit_assistant.providers.base import (
    CallsMessage,
    ModelRequest,
    OutputMessage,
    PromptMessage,
    Turn,
)
from streamlit_assistant.records import JSON, Message, MessageStatus, Run
from streamlit_assistant.runs.attached_documents import Documents
from streamlit_assistant.runs.citations import without_markers
from streamlit_assistant.runs.history import RunHistory
from streamlit_assistant.runs.langchain_turns import as_told, with_calls, without_instructions
from streamlit_assistant.runs.offered_tools import OfferedTools
from streamlit_assistant.runs.room import Room
from streamlit_assistant.store import Store
from streamlit_assistant.token_estimate import estimated
from streamlit_assistant.tools.toolbox import ImageFiles

# Newest messages shown when a run does not say how many: bounds the cost of a turn.
DEFAULT_WINDOW = 200
SPARE = 20  # read beyond that, in place of messages that are not shown
TOKENS_PER_IMAGE = 800
TOKENS_PER_TURN = 4  # for the role and what separates turns
SHARE_OF_BEGINNING = 4  # the thread's first message may take a quarter of the room
GONE_IMAGE = "[An image that has been deleted]"


class PromptTooLong(Exception):
    """Not even the newest message fits into the tokens that are left."""


async def build_request(
    store: Store,
    images: ImageFiles,
    run: Run,
    history: RunHistory,
    tools: OfferedTools,
    room: Room,
    documents: Documents,
) -> ModelRequest:
    """Return the request for a round of a run; raise `PromptTooLong`."""
    told, messages = without_instructions(await _messages(store, run))
    instructions = "\n\n".join(text for text in (run.instructions, *told, tools.note) if text)
    left = room.prompt
    if left is not None:
        left -= _cost_of_all(instructions, tools.functions, history.turns)
    if room.is_budget and left is not None and left < _newest_cost(messages):
        raise PromptTooLong
    shown = _fitting(messages, left, run.truncation_strategy["type"])
    names = {function["name"] for function in tools.functions}
    turns = [await _turn(each, run.owner, images, documents) for each in with_calls(shown, names)]
    return ModelRequest(
        model=run.model,
        instructions=instructions,
        messages=[*turns, *history.turns],
        temperature=run.temperature,
        top_p=run.top_p,
        max_completion_tokens=room.completion,
        response_format=run.response_format,
        reasoning_effort=run.reasoning_effort,
        functions=tools.functions,
        tool_choice=tools.tool_choice,
        parallel_tool_calls=run.parallel_tool_calls,
        hosted_tools=tools.hosted,
        trace={"thread_id": run.thread_id, "run_id": run.id},
        private=bool(run.options.get("temporary")),
    )


def estimated_tokens(request: ModelRequest) -> int:
    """Return about how many tokens a request costs, for servers that do not count."""
    return _cost_of_all(request.instructions, request.functions, request.messages)


async def _messages(store: Store, run: Run) -> list[Message]:
    strategy = run.truncation_strategy
    asked = strategy.get("last_messages") if strategy["type"] == "last_messages" else None
    wanted = asked or DEFAULT_WINDOW
    newest = await store.messages.newest(run.thread_id, wanted + SPARE, but_run=run.id)
    messages = _shown(newest)[-wanted:]
    if asked is None and len(newest) > wanted:
        first = await store.messages.first(run.thread_id)
        if first is not None and all(first.id != message.id for message in messages):
            messages[:0] = _shown([first])
    return messages


def _shown(messages: Sequence[Message]) -> list[Message]:
    shown = [message for message in map(as_told, messages) if message.content]
    # A broken-off answer at the end is the one this run replaces: shown to the model, it would be
    # taken for a finished turn. Further up it is part of the conversation.
    while shown and _is_broken_answer(shown[-1]):
        shown.pop()
    return shown


def _is_broken_answer(message: Message) -> bool:
    return message.role == "assistant" and message.status is not MessageStatus.COMPLETED


def _fitting(messages: Sequence[Message], left: int | None, strategy: str) -> list[Message]:
    """Return the messages that fit: the newest, and with `auto` the first; the middle goes."""
    if left is None or not messages:
        return list(messages)
    costs = [_cost_of_content(message.content) for message in messages]
    if sum(costs) <= left:
        return list(messages)
    left -= costs[-1]
    head = []
    if strategy == "auto" and len(messages) > 1 and costs[0] <= left // SHARE_OF_BEGINNING:
        head = [messages[0]]
        left -= costs[0]
    tail = [messages[-1]]
    for message, cost in zip(messages[-2:0:-1], costs[-2:0:-1], strict=True):
        left -= cost
        if left < 0:
            break
        tail.append(message)
    return head + tail[::-1]


def _newest_cost(messages: Sequence[Message]) -> int:
    return _cost_of_content(messages[-1].content) if messages else 0


async def _turn(
    message: Message | CallsMessage | OutputMessage,
    owner: str,
    images: ImageFiles,
    documents: Documents,
) -> Turn:
    if not isinstance(message, Message):
        return message
    parts = [await _part(p, owner, images) for p in message.content]
    return PromptMessage(message.role, [*await documents.parts(message, owner), *parts])


async def _part(part: JSON, owner: str, images: ImageFiles) -> JSON:
    if part["type"] == "text" and part["text"]["annotations"]:
        text = without_markers(part["text"]["value"], part["text"]["annotations"])
        return {"type": "text", "text": {"value": text, "annotations": []}}
    if part["type"] == "image_file":
        image = part["image_file"]
        url = await images.data_url(owner, image["file_id"])
        if url is None:
            return {"type": "text", "text": {"value": GONE_IMAGE, "annotations": []}}
        detail = image.get("detail") or "auto"
        return {"type": "image_url", "image_url": {"url": url, "detail": detail}}
    return part


def _cost_of_all(instructions: str, functions: Sequence[JSON], turns: Iterable[Turn]) -> int:
    described = json.dumps(list(functions))
    return estimated(instructions) + estimated(described) + sum(_cost(turn) for turn in turns)


def _cost(turn: Turn) -> int:
    match turn:
        case OutputMessage(_, output):
            return TOKENS_PER_TURN + estimated(output)
        case CallsMessage(calls, content):
            called = sum(estimated(call.name) + estimated(call.arguments) for call in calls)
            return called + _cost_of_content(content)
        case PromptMessage(_, content):
            return _cost_of_content(content)


def _cost_of_content(content: Iterable[JSON]) -> int:
    return TOKENS_PER_TURN + sum(_cost_of_part(part) for part in content)


def _cost_of_part(part: JSON) -> int:
    match part["type"]:
        case "text":
            return estimated(part["text"]["value"])
        case "refusal":
            return estimated(part["refusal"])
    return TOKENS_PER_IMAGE
