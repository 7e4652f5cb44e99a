"""What model servers on one's own machine do in their own ways, on Chat Completions."""

from dataclasses import replace

from streamlit_assistant.settings import Settings
from tests.upstream_rules import (
    cannot_require_tools,
    has_no_schemas,
    is_blind,
    lacks_tool_flags,
    wants_content,
    wants_strings,
)
from tests.upstream_scripts import (
    Answer,
    Body,
    Ending,
    llama_cpp_context_too_long,
    model_not_found,
    spoken,
)
from tests.upstream_wire import (
    LLAMA_CPP,
    LLAMA_CPP_PYTHON,
    LM_STUDIO,
    OLD_OLLAMA,
    OLLAMA,
    VLLM,
    error_body,
)
from tests.upstreams.matrix import each, play
from tests.upstreams.rows import (
    ASK_TWICE,
    ASK_WEATHER,
    CHAT,
    NAME,
    OSLO,
    ROME,
    SCHEMA,
    WITH_TOOLS,
    Row,
    answered,
    calls,
    failed,
    unfit,
)
from tests.upstreams.site import Places

TURN = f"Turn 1. You said: {NAME}"
HALF = ("half ",)
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
TEXT = {"type": "text", "text": NAME}
PARTS = [{"type": "text", "text": NAME}, {"type": "text", "text": "Be nice."}]
REQUIRED = {"tool_choice": "required"}
NAMED = {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}
LOADING = Body(error_body("Loading model", "unavailable_error", 503), 503)
PEG = Body(
    error_body("The model produced output that does not match the expected peg-native format", ""),
    500,
)

OLLAMA_ROWS = [
    Row(
        "Ollama, whatever the tool choice",
        answered(TURN.replace(NAME, ASK_WEATHER)),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        run={"tool_choice": "none"},
        sends=lambda bodies: "tools" not in bodies[0],
    ),
    Row(
        "Ollama answers though it must call",
        answered("I would rather not.", notices=["tool_choice_unmet"]),
        [spoken("I would rather not.")],
        assistant=WITH_TOOLS,
        run=REQUIRED,
    ),
    Row(
        "Ollama, parallel calls of one number",
        calls(OSLO, ROME),
        question=ASK_TWICE,
        assistant=WITH_TOOLS,
        dialect=OLLAMA,
    ),
    Row(
        "old Ollama, arguments as objects",
        calls('{"city": "Oslo"}'),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        dialect=OLD_OLLAMA,
    ),
    Row(
        "Ollama's model crashes",
        failed("closed the connection", text="half "),
        [Answer(HALF, ending=Ending.EARLY, dialect=OLLAMA)],
    ),
    Row(
        "Ollama never pulled the model",
        failed('model "llama9" not found'),
        [model_not_found()],
    ),
    Row(
        "Ollama knows no max_completion_tokens",
        answered(TURN),
        run={"max_completion_tokens": 300},
        sends=lambda bodies: bodies[0]["max_tokens"] == 300,
    ),
    Row(
        "Ollama takes any role for its template",
        answered(TURN),
        assistant={"instructions": "Be kind."},
        sends=lambda bodies: bodies[0]["messages"][0] == {"role": "system", "content": "Be kind."},
    ),
    Row(
        "Ollama splits lists of parts",
        answered(f"{TURN}\n\nBe nice."),
        question=PARTS,
        rules=[wants_strings],
    ),
]
LLAMA_ROWS = [
    Row(
        "llama.cpp without a projector",
        unfit("cannot see images"),
        question=[TEXT, IMAGE],
        rules=[is_blind],
        facts={"owned_by": "llamacpp"},
    ),
    Row(
        "llama.cpp, a context that is too small",
        unfit("exceeds the available context size"),
        [llama_cpp_context_too_long()],
    ),
    Row(
        "llama.cpp, a format that does not fit",
        failed("peg-native format", asked=4),
        [PEG] * 4,
    ),
    Row(
        "llama.cpp still loads its model",
        answered("Ready.", asked=3),
        [LOADING, LOADING, spoken("Ready.")],
    ),
    Row(
        "llama.cpp, calls in pieces",
        calls(OSLO, ROME),
        question=ASK_TWICE,
        assistant=WITH_TOOLS,
        dialect=LLAMA_CPP,
        facts={"owned_by": "llamacpp"},
    ),
    Row(
        "llama.cpp answers though it must call",
        answered("No.", notices=["tool_choice_unmet"]),
        [spoken("No.")],
        assistant=WITH_TOOLS,
        run=NAMED,
        facts={"owned_by": "llamacpp"},
    ),
    Row(
        "llama-cpp-python, a stream in which nothing comes",
        calls(OSLO, notices=["parameter_refused"], asked=2),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        run=REQUIRED,
        rules=[cannot_require_tools],
        dialect=LLAMA_CPP_PYTHON,
    ),
    Row(
        "llama-cpp-python, known by its list of models",
        calls(OSLO, asked=1),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        run=REQUIRED,
        rules=[cannot_require_tools],
        dialect=LLAMA_CPP_PYTHON,
        facts={"owned_by": "me"},
    ),
    Row(
        "llama-cpp-python, no schemas",
        answered(TURN, notices=["parameter_refused"], asked=2),
        run={"response_format": SCHEMA},
        rules=[has_no_schemas],
        dialect=LLAMA_CPP_PYTHON,
    ),
    Row(
        "llama-cpp-python, no schemas, known by its list of models",
        answered(TURN, asked=1),
        run={"response_format": SCHEMA},
        rules=[has_no_schemas],
        dialect=LLAMA_CPP_PYTHON,
        facts={"owned_by": "me"},
    ),
    Row(
        "llama-cpp-python, a template that takes no null",
        calls(OSLO),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        rules=[wants_content],
        dialect=LLAMA_CPP_PYTHON,
    ),
]
VLLM_ROWS = [
    Row(
        "vLLM without the flags for tools",
        unfit("cannot call functions"),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        later={"tools": []},
        rules=[lacks_tool_flags],
    ),
    Row(
        "vLLM ends a named call with stop",
        calls(OSLO),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        run=NAMED,
        dialect=VLLM,
    ),
    Row(
        "LM Studio, the context exceeded",
        failed("closed the connection", text="half "),
        [Answer(HALF, ending=Ending.NO_FINISH, dialect=LM_STUDIO)],
    ),
    Row(
        "LM Studio, an error with a name",
        failed("Provider returned error", text="half "),
        [Answer(HALF, ending=Ending.ERROR, dialect=LM_STUDIO)],
    ),
]
ROWS = [*OLLAMA_ROWS, *LLAMA_ROWS, *VLLM_ROWS]


@each([replace(row, apis=[CHAT]) for row in ROWS])
def test_every_local_server_s_quirk_is_met(
    row: Row, api: str, settings: Settings, places: Places
) -> None:
    play(row, api, settings, places)
