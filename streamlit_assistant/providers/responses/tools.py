"""The tools that the server of the Responses API executes itself: how each of them is shown."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamlit_assistant.providers.base import CallKind, ProducedFile
from streamlit_assistant.providers.responses.files import UpstreamFiles
from streamlit_assistant.providers.responses.shapes import as_object, as_objects, as_score, as_text
from streamlit_assistant.records import JSON
from streamlit_assistant.surrogates import whole

Outputs = Sequence[str | JSON | ProducedFile]

DONE = "Done."
FAILED = "It failed."
# What is the same for all calls, or is what they brought and not what they were called with.
_NOT_ARGUMENTS = {
    *("id", "type", "status", "call_id", "created_by", "caller", "environment", "name"),
    *("output", "outputs", "result", "results", "error"),
}


@dataclass(frozen=True)
class Call:
    """A call as far as it is known: its item, and the item of its output if there is one."""

    item: JSON
    output: JSON


@dataclass(frozen=True)
class HostedTool:
    """How the calls of one tool are shown. `name` is "" while it is not known.

    `written` is the field with what the model writes for it; it is shown piece by piece where it
    is the arguments, otherwise `arguments` makes them of the whole. `answers_apart`: its output is
    an item of its own. `pictures` are the images it makes for the answer.
    """

    name: Callable[[JSON], str]
    outputs: Callable[[Call, UpstreamFiles], Outputs]
    kind: CallKind = CallKind.HOSTED
    written: str = ""
    arguments: Callable[[JSON], JSON] | None = None
    answers_apart: bool = False
    pictures: Callable[[JSON, UpstreamFiles], Sequence[ProducedFile]] = lambda item, files: ()


def hosted_tool(item_type: str) -> HostedTool:
    """Return how an item is shown whose type is `..._call`, known or not."""
    if item_type in _TOOLS:
        return _TOOLS[item_type]
    name = item_type.removesuffix("_call")
    return HostedTool(lambda item: name, _text_apart, arguments=_all_of_it, answers_apart=True)


def _all_of_it(item: JSON) -> JSON:
    return {name: value for name, value in item.items() if name not in _NOT_ARGUMENTS and value}


def _text_apart(call: Call, files: UpstreamFiles) -> Outputs:
    told = call.output or call.item
    brought = next((told[name] for name in ("output", "result", "tools") if told.get(name)), None)
    text = _as_words(brought)
    return [text] if text else []


def _as_words(brought: object) -> str:
    if isinstance(brought, list):
        return "\n".join(filter(None, map(_as_words, brought)))
    if isinstance(brought, dict):
        words = [as_text(brought.get(name)) for name in ("text", "stdout", "stderr", "name")]
        return "\n".join(filter(None, words)) or as_text(brought.get("type"))
    return as_text(brought)


def _ran_code(call: Call, files: UpstreamFiles) -> Outputs:
    container = as_text(call.item.get("container_id"))
    found: list[str | ProducedFile | None] = []
    for output in as_objects(call.item.get("outputs")):
        match output.get("type"):
            case "logs":
                found.append(as_text(output.get("logs")))
            case "image":
                found.append(files.image(as_text(output.get("url"))))
            case "files":
                found += [
                    files.of_container(container, as_text(file.get("file_id")), _name_of(file))
                    for file in as_objects(output.get("files"))
                ]
    return [output for output in found if output]


def _plotted(item: JSON, files: UpstreamFiles) -> Sequence[ProducedFile]:
    # As in the hosted service: a plot is for the reader, not for the step alone.
    outputs = [each for each in as_objects(item.get("outputs")) if each.get("type") == "image"]
    images = [files.image(as_text(output.get("url"))) for output in outputs]
    return [image for image in images if image]


def _name_of(file: JSON) -> str:
    return as_text(file.get("filename") or file.get("path")).rpartition("/")[2]


def _found_files(call: Call, files: UpstreamFiles) -> Outputs:
    return [
        {
            "file_id": as_text(result.get("file_id")),
            "file_name": as_text(result.get("filename")),
            "score": as_score(result.get("score")),
            "text": as_text(result.get("text")),
        }
        for result in as_objects(call.item.get("results"))
    ]


def _searched(item: JSON) -> JSON:
    action = as_object(item.get("action"))
    return {name: value for name, value in action.items() if name != "sources" and value}


def _found_pages(call: Call, files: UpstreamFiles) -> Outputs:
    if call.item.get("status") == "failed":
        return [FAILED]
    sources = as_objects(as_object(call.item.get("action")).get("sources"))
    return ["\n".join(as_text(source.get("url")) for source in sources) or DONE]


def _remote_name(item: JSON) -> str:
    name = as_text(item.get("name"))
    return name and f"mcp.{name}"


def _remote_answer(call: Call, files: UpstreamFiles) -> Outputs:
    error = call.item.get("error")
    if not error:
        return [as_text(call.item.get("output")) or DONE]
    told = as_object(error)
    words = as_text(error) or as_text(told.get("message")) or _as_words(told.get("content"))
    return [words or whole(json.dumps(error, ensure_ascii=False))]


def _drew(call: Call, files: UpstreamFiles) -> Outputs:
    if call.item.get("result"):
        return [DONE]
    return [as_text(as_object(call.item.get("error")).get("message")) or FAILED]


def _pictures(item: JSON, files: UpstreamFiles) -> Sequence[ProducedFile]:
    result = as_text(item.get("result"))
    return [files.encoded(result, as_text(item.get("output_format")) or "png")] if result else []


_TOOLS = {
    "code_interpreter_call": HostedTool(
        lambda item: "code_interpreter",
        _ran_code,
        CallKind.CODE_INTERPRETER,
        written="code",
        pictures=_plotted,
    ),
    "file_search_call": HostedTool(
        lambda item: "file_search",
        _found_files,
        CallKind.FILE_SEARCH,
        arguments=lambda item: {"queries": item.get("queries") or []},
    ),
    "web_search_call": HostedTool(lambda item: "web_search", _found_pages, arguments=_searched),
    "mcp_call": HostedTool(_remote_name, _remote_answer, written="arguments"),
    "image_generation_call": HostedTool(
        lambda item: "image_generation",
        _drew,
        arguments=lambda item: {k: v for k, v in item.items() if k == "revised_prompt" and v},
        pictures=_pictures,
    ),
    "custom_tool_call": HostedTool(
        lambda item: as_text(item.get("name")),
        _text_apart,
        written="input",
        arguments=lambda item: {"input": as_text(item.get("input"))},
        answers_apart=True,
    ),
}
