"""What servers of three kinds tell of a model, read from their own words."""

from typing import Any

import pytest

from streamlit_assistant.providers.chat.dialects import (
    GEMINI,
    LLAMA_CPP,
    LM_STUDIO,
    OLLAMA,
    UNKNOWN,
    VLLM,
    Dialect,
)
from streamlit_assistant.providers.model_facts import Facts, reader_for
from streamlit_assistant.records import JSON
from tests.providers.native_server import MODEL, running, shown

EVERYTHING = frozenset({"tools", "vision", "json_schema"})
NO_EYES = EVERYTHING - {"vision"}
NO_TOOLS = EVERYTHING - {"tools"}
NEITHER = frozenset({"json_schema"})
WANTED = "stop  <|end|>\nnum_ctx                        8192"


async def facts_of(dialect: Dialect, says: dict[str, Any], model: str = MODEL) -> Facts | None:
    async def ask(path: str, _body: JSON | None) -> Any:
        return says.get(path.partition("?")[0])

    reader = reader_for(dialect)
    assert reader is not None
    return await reader(ask, model)


@pytest.mark.parametrize(
    ("show", "ps", "facts"),
    [
        # What is loaded counts, not what the model was made for.
        (shown("tools", "vision"), running(4096), Facts(4096, EVERYTHING)),
        (shown("completion", "tools"), {"models": []}, Facts(40960, NO_EYES, False)),
        (shown("vision", parameters=WANTED), {"models": []}, Facts(8192, NO_TOOLS, False)),
        # Loaded larger for somebody else: for us it is loaded again.
        (shown("tools", parameters=WANTED), running(32768), Facts(8192, NO_EYES)),
        (shown("tools", parameters=WANTED, trained=2048), None, Facts(2048, NO_EYES, False)),
        (shown("completion"), running(4096, "other:7b"), Facts(40960, NEITHER, False)),
        (shown(), running(0), Facts(40960, None)),
        (None, running(4096), Facts(4096, None)),
        (None, {"models": []}, None),
        (None, None, None),
        # Nonsense tells nothing.
        ({"model_info": [], "parameters": 3, "capabilities": "all"}, [], Facts(None, None, False)),
        (shown("tools", trained="many"), running(True), Facts(None, NO_EYES)),
        (shown("tools", parameters="num_ctx lots"), {"models": [3]}, Facts(40960, NO_EYES, False)),
        ({"capabilities": [3, None, {}]}, {"models": {}}, Facts(None, NEITHER, False)),
    ],
)
async def test_ollama_tells_what_is_loaded_and_what_it_can_do(
    show: Any, ps: Any, facts: Facts | None
) -> None:
    assert await facts_of(OLLAMA, {"api/show": show, "api/ps": ps}) == facts


async def test_ollama_knows_a_model_without_its_tag() -> None:
    says = {"api/show": shown("tools"), "api/ps": running(4096, "llama3:latest")}

    assert await facts_of(OLLAMA, says, "llama3") == Facts(4096, NO_EYES)


@pytest.mark.parametrize(
    ("props", "facts"),
    [
        (
            {"default_generation_settings": {"n_ctx": 2048}, "modalities": {"vision": True}},
            Facts(2048, EVERYTHING),
        ),
        ({"modalities": {"vision": False}, "total_slots": 4}, Facts(None, NO_EYES)),
        ({"default_generation_settings": {"n_ctx": 0}, "modalities": []}, Facts()),
        ({"default_generation_settings": None, "modalities": {"vision": "no"}}, Facts()),
        ([], None),
        (None, None),
    ],
)
async def test_llama_cpp_tells_what_one_answer_has(props: Any, facts: Facts | None) -> None:
    assert await facts_of(LLAMA_CPP, {"props": props}) == facts


@pytest.mark.parametrize(
    ("told", "facts"),
    [
        (
            {"type": "llm", "max_context_length": 131072, "loaded_context_length": 4096},
            Facts(4096, NO_EYES),
        ),
        (
            {"type": "vlm", "max_context_length": 131072, "state": "not-loaded"},
            Facts(131072, EVERYTHING, False),
        ),
        (
            {"type": "llm", "max_context_length": 8192, "state": "loaded", "capabilities": []},
            Facts(8192, NO_EYES),
        ),
        ({"type": "llm", "capabilities": ["tool_use", "vision"]}, Facts(None, EVERYTHING, False)),
        ({"type": "embeddings", "max_context_length": 512}, Facts(512, None, False)),
        ({"type": 3, "max_context_length": "8192"}, Facts(None, None, False)),
    ],
)
async def test_lm_studio_tells_how_a_model_is_loaded(told: JSON, facts: Facts) -> None:
    says = {"api/v0/models": {"data": [3, {"id": "other"}, {"id": MODEL, **told}]}}

    assert await facts_of(LM_STUDIO, says) == facts


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"data": [{"id": "other"}]}])
async def test_a_model_of_which_lm_studio_says_nothing_is_unknown(body: Any) -> None:
    assert await facts_of(LM_STUDIO, {"api/v0/models": body}) is None


@pytest.mark.parametrize("dialect", [UNKNOWN, VLLM, GEMINI])
def test_other_servers_are_not_asked(dialect: Dialect) -> None:
    assert reader_for(dialect) is None
