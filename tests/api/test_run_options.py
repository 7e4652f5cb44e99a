"""What an assistant asks for in its metadata beyond the protocol."""

import pytest

from streamlit_assistant.api.run_options import run_options
from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.records import JSON
from tests.factories import make_assistant

SEARCH = {"type": "web_search"}


@pytest.mark.parametrize(
    ("metadata", "options"),
    [
        ({}, {}),
        ({"hosted_tools": ""}, {}),
        ({"hosted_tools": "web_search"}, {"hosted_tools": [SEARCH]}),
        (
            {"hosted_tools": "web_search, image_generation code_interpreter"},
            {
                "hosted_tools": [
                    SEARCH,
                    {"type": "image_generation"},
                    {"type": "code_interpreter", "container": {"type": "auto"}},
                ]
            },
        ),
        (
            {"hosted_tools": '[{"type": "file_search", "vector_store_ids": ["vs_1"]}]'},
            {"hosted_tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
        ),
        (
            {"hosted_tools": '{"type": "mcp", "server_label": "d", "server_url": "https://d"}'},
            {
                "hosted_tools": [
                    {
                        "type": "mcp",
                        "server_label": "d",
                        "server_url": "https://d",
                        "require_approval": "never",
                    }
                ]
            },
        ),
        ({"fallback_models": "b, c  d"}, {"fallback_models": ["b", "c", "d"]}),
    ],
)
def test_metadata_names_tools_and_models(metadata: dict[str, str], options: JSON) -> None:
    assert run_options(make_assistant(metadata=metadata), ()) == options


def test_the_site_s_tools_are_everybody_s_unless_an_assistant_says_otherwise() -> None:
    assert run_options(make_assistant(), [SEARCH]) == {"hosted_tools": [SEARCH]}
    assert run_options(make_assistant(metadata={"hosted_tools": ""}), [SEARCH]) == {}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("web_search, teleport", "'teleport' is not known"),
        ('[{"type": "file_search"}]', "'file_search' lacks vector_store_ids"),
        ('[{"type": "mcp", "server_label": "d"}]', "'mcp' lacks server_url"),
        ('[{"authorization": "secret"}]', "a tool is an object with a type"),
        ("[web_search]", "no JSON"),
    ],
)
def test_what_is_none_of_them_is_refused_by_name(given: str, complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint) as refused:
        run_options(make_assistant(metadata={"hosted_tools": given}), ())
    assert "metadata.hosted_tools" in refused.value.message
    assert "secret" not in refused.value.message
    assert refused.value.param == "assistant_id"
