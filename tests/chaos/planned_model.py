"""A model that does what each question plans for it, and keeps account of what it was asked.

A question is a `Plan` as JSON: rounds of calls, then an answer. All that the model says carries the
number of the request it answers, so that what is stored tells by which request it was made.
"""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.upstream import Upstream
from tests.upstream_replies import Received
from tests.upstream_scripts import Answer, Script, Token
from tests.upstream_wire import LLAMA_CPP, OLLAMA, Call

LOOKUP, SEARCH = "lookup", "search"
FUNCTION = {
    "type": "function",
    "function": {
        "name": LOOKUP,
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
_CALL_ID = re.compile(r"call_(\d+)_\d+")  # as tests.upstream_wire makes them


@dataclass(frozen=True)
class Plan:
    """What the model is to do with a question."""

    id: str
    rounds: Sequence[str] = ()  # LOOKUP: functions the client answers; SEARCH: this server does
    words: int = 20
    rate: float | None = None  # words a second; None is as fast as they are taken
    delay: float = 0.0  # seconds before the first word
    gate: int | None = None  # the word before which it waits until the test opens the gate

    def question(self) -> str:
        """The message that asks for it."""
        return json.dumps(asdict(self))


@dataclass
class Account:
    """The requests of one plan, by round: their numbers in the order they came."""

    requests: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    # The outputs the model was told, by call; each in every request that came after it.
    outputs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    gate: threading.Event = field(default_factory=threading.Event)


class PlannedModel(Upstream):
    """Does as planned; `fault` may put something else in an answer's place."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, Account] = defaultdict(Account)
        self.fault: Callable[[Answer], Script] = lambda answer: answer
        self.on_request: Callable[[], None] = lambda: None
        self._lock = threading.Lock()  # the tests read from another thread

    def answer(self, received: Received, number: int) -> Script:
        """Note the request, and go on with its plan."""
        messages = received.messages
        last = max(place for place, turn in enumerate(messages) if turn["role"] == "user")
        # Questions that follow each other, because an answer was cut off, may come as one message.
        plan = Plan(**json.loads(_text(messages[last]).rpartition("\n\n")[2]))
        past = messages[last + 1 :]
        done = sum(bool(turn.get("tool_calls")) for turn in past)
        with self._lock:
            account = self.accounts[plan.id]
            account.requests[done].append(number)
            for turn in past:
                if turn["role"] == "tool":
                    account.outputs[turn["tool_call_id"]].add(_text(turn))
        self.on_request()
        return self.fault(_script(plan, done, number, account.gate))

    def open_gate(self, plan: Plan) -> None:
        """Let the answers to a plan go on."""
        with self._lock:
            self.accounts[plan.id].gate.set()

    def request(self, plan: Plan) -> Received:
        """Return the last request of a plan."""
        with self._lock:
            rounds = self.accounts[plan.id].requests
            return self.requests[rounds[max(rounds)][-1] - 1]

    def requests_of(self, plan: Plan, done: int) -> list[int]:
        """Return the numbers of the requests made after so many rounds of a plan."""
        with self._lock:
            return list(self.accounts[plan.id].requests[done])

    def outputs_of(self, plan: Plan) -> Mapping[str, set[str]]:
        """Return what the model was told of each call of a plan."""
        with self._lock:
            return {call: set(told) for call, told in self.accounts[plan.id].outputs.items()}


def words_of(plan: Plan, number: int) -> list[str]:
    """Return the answer that this request gets."""
    return [f"{plan.id}/{number}:{word} " for word in range(plan.words)]


def request_of_words(text: str) -> int:
    """Return the number of the request that a part of an answer comes from."""
    return int(text.partition(":")[0].partition("/")[2])


def request_of_call(call_id: str) -> int | None:
    """Return the number of the request that a call comes from, if its id tells."""
    found = _CALL_ID.fullmatch(call_id)
    return int(found[1]) if found else None


def _script(plan: Plan, done: int, number: int, gate: threading.Event) -> Answer:
    if done >= len(plan.rounds):
        words: list[Token] = [*words_of(plan, number)]
        if plan.gate is not None:
            words.insert(plan.gate, gate)
        return Answer(words, rate=plan.rate, delay=plan.delay)
    if plan.rounds[done] == SEARCH:
        queries = json.dumps({"queries": [f"the {plan.id} of tea"]})
        return Answer(calls=[Call("file_search", queries)], delay=plan.delay, dialect=OLLAMA)
    # Two at once, in pieces: a call of which half is known must not outlive a process.
    calls = [Call(LOOKUP, json.dumps({"place": f"{plan.id}/{done}/{n}"})) for n in range(2)]
    return Answer(calls=calls, delay=plan.delay, dialect=LLAMA_CPP)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else "".join(p["text"] for p in content or [])
