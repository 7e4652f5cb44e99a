"""Folding deltas into the tool calls of a run step, as `delta_fold` does for messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from streamlit_assistant.records import JSON

FUNCTION = "function"
FILE_SEARCH = "file_search"
CODE_INTERPRETER = "code_interpreter"
# A tool that the protocol does not know and nobody else need answer: it is shown as a function.
HOSTED = "hosted"


@dataclass
class _Call:
    kind: str
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    output: str | None = None  # of a function
    outputs: list[JSON] = field(default_factory=list)  # of a code interpreter
    searched: JSON = field(default_factory=dict)  # what a search of the model server's brought
    is_done: bool = False  # the model server has executed it

    def as_tool_call(self) -> JSON:
        """The tool call as a run step keeps it, before anybody but the model server answered it.

        What it says beyond the protocol is ours alone: the arguments of a search, and `hosted`
        where the model server has executed what looks like a function or a search of ours.
        """
        call = self._shown()
        if self.is_done and self.kind in (FILE_SEARCH, HOSTED):
            call["hosted"] = True
        return call

    def _shown(self) -> JSON:
        arguments = "".join(self.arguments)
        if self.kind == FILE_SEARCH:
            found = {"type": FILE_SEARCH, FILE_SEARCH: self.searched}
            return {"id": self.id, **found, "arguments": arguments}
        if self.kind == CODE_INTERPRETER:
            code = {"input": arguments, "outputs": list(self.outputs)}
            return {"id": self.id, "type": CODE_INTERPRETER, CODE_INTERPRETER: code}
        function = {"name": self.name, "arguments": arguments, "output": self.output}
        return {"id": self.id, "type": FUNCTION, FUNCTION: function}


class CallFold:
    """The tool calls of a run step while the model writes them."""

    def __init__(self, tool_calls: Iterable[JSON] = ()) -> None:
        """`tool_calls` are those the step has already."""
        self._calls = [_known(call) for call in tool_calls]

    def open(self, kind: str, call_id: str, name: str) -> JSON:
        """Begin a call; return the tool call for the `thread.run.step.delta` object."""
        output = "" if kind == HOSTED else None
        self._calls.append(_Call(kind, call_id, name, output=output))
        opened: JSON = {"index": len(self._calls) - 1, "id": call_id, "type": _shown(kind)}
        if kind == FILE_SEARCH:
            return opened | {FILE_SEARCH: {}}
        if kind == CODE_INTERPRETER:
            return opened | {CODE_INTERPRETER: {"input": "", "outputs": []}}
        return opened | {FUNCTION: {"name": name, "arguments": "", "output": output}}

    def append(self, index: int, piece: str) -> JSON | None:
        """Add arguments; return their tool call, or None where the protocol shows none."""
        call = self._calls[index]
        call.arguments.append(piece)
        if call.kind == FILE_SEARCH:
            return None
        if call.kind == CODE_INTERPRETER:
            return {"index": index, "type": CODE_INTERPRETER, CODE_INTERPRETER: {"input": piece}}
        return {"index": index, "type": FUNCTION, FUNCTION: {"arguments": piece}}

    def finish(self, index: int, outputs: Sequence[JSON]) -> JSON | None:
        """Add what a call brought that the model server executed; return its tool call.

        `outputs` are as the protocol has them for a code interpreter; of a hosted tool the logs
        are its output. Of a search it is the one object that the protocol shows at the step's end.
        """
        call = self._calls[index]
        call.is_done = True
        if call.kind == FILE_SEARCH:
            call.searched = dict(outputs[0]) if outputs else {"results": []}
            return None
        if call.kind == CODE_INTERPRETER:
            call.outputs += outputs
            numbered = [{"index": place, **output} for place, output in enumerate(call.outputs)]
            return {
                "index": index,
                "type": CODE_INTERPRETER,
                CODE_INTERPRETER: {"outputs": numbered},
            }
        call.output = "\n".join(each["logs"] for each in outputs if each["type"] == "logs")
        return {"index": index, "type": FUNCTION, FUNCTION: {"output": call.output}}

    def absorb(self, call: JSON) -> None:
        """Add a tool call as the other methods returned it, e.g. from a stored event."""
        kind, index = call["type"], call["index"]
        said = call[kind]
        if "id" in call:
            hosted = kind == FUNCTION and said["output"] is not None
            self.open(HOSTED if hosted else kind, call["id"], said.get("name", ""))
        elif "output" in said:
            self.finish(index, [{"type": "logs", "logs": said["output"]}])
        elif "outputs" in said:
            self.finish(index, [_unnumbered(output) for output in said["outputs"]])
        else:
            self.append(index, said["input" if kind == CODE_INTERPRETER else "arguments"])

    @property
    def count(self) -> int:
        """How many calls there are."""
        return len(self._calls)

    def call_id(self, index: int) -> str:
        """The id under which a call was opened."""
        return self._calls[index].id

    def length(self, index: int) -> int:
        """How many characters of arguments a call has."""
        return sum(map(len, self._calls[index].arguments))

    def is_done(self, index: int) -> bool:
        """Whether the model server has executed a call."""
        return self._calls[index].is_done

    def image_ids(self, index: int) -> list[str]:
        """The ids of the images that a call has brought."""
        outputs = self._calls[index].outputs
        return [output["image"]["file_id"] for output in outputs if output["type"] == "image"]

    @property
    def all_done(self) -> bool:
        """Whether the model server has executed every call."""
        return all(call.is_done for call in self._calls)

    @property
    def tool_calls(self) -> list[JSON]:
        """The tool calls of the run step."""
        return [call.as_tool_call() for call in self._calls]


def fold_calls(deltas: Iterable[JSON]) -> Sequence[JSON]:
    """Return the tool calls that the `thread.run.step.delta` objects add up to."""
    fold = CallFold()
    for delta in deltas:
        for call in delta["delta"]["step_details"]["tool_calls"]:
            fold.absorb(call)
    return fold.tool_calls


def _known(call: JSON) -> _Call:
    kind = call["type"]
    said, hosted = call[kind], bool(call.get("hosted"))
    if kind == FILE_SEARCH:
        arguments = [call["arguments"]]
        return _Call(kind, call["id"], arguments=arguments, searched=said, is_done=hosted)
    if kind == CODE_INTERPRETER:
        return _Call(kind, call["id"], "", [said["input"]], None, [*said["outputs"]], is_done=True)
    kind = HOSTED if hosted else FUNCTION
    arguments = [said["arguments"]]
    return _Call(kind, call["id"], said["name"], arguments, said["output"], is_done=hosted)


def _shown(kind: str) -> str:
    return FUNCTION if kind == HOSTED else kind


def _unnumbered(output: JSON) -> JSON:
    return {name: value for name, value in output.items() if name != "index"}
