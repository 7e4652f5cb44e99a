"""File search as the model sees it: a function it may call, whose passages it cites by markers."""

import json
from collections.abc import Sequence

from streamlit_assistant.file_records import SearchQuery, SearchResult
from streamlit_assistant.records import JSON
from streamlit_assistant.token_estimate import estimated
from streamlit_assistant.tools.citation_marker import marker
from streamlit_assistant.tools.toolbox import Searcher

NAME, OTHER_NAME = "file_search", "search_in_files"  # the other where a function has the name
DEFAULT_RESULTS = 20
DEFAULT_RANKER = "default_2024_08_21"
MOST_QUERIES = 8
LONGEST_QUERY = 2_000  # characters

_DESCRIPTION = (
    "Search the files that the user or the operator has provided, by meaning and by words. "
    "Returns passages, each under its marker. Whenever a statement rests on a passage, put the "
    "passage's marker right behind it, exactly as it stands, for example 【0:1†report.pdf】."
)
_PARAMETERS = {
    "type": "object",
    "properties": {
        "queries": {
            "type": "array",
            "items": {"type": "string"},
            "description": "One to five short queries, in the language of the files.",
        }
    },
    "required": ["queries"],
}
NOTHING_FOUND = "Nothing was found. Search with other words, or say that the files do not tell."


def definition(name: str) -> JSON:
    """Return the function that is offered to the model."""
    return {"name": name, "description": _DESCRIPTION, "parameters": _PARAMETERS}


def queries(arguments: str) -> list[str]:
    """Return what is searched for, whatever the model made of the arguments."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        given = arguments
    if isinstance(given, dict):
        given = given.get("queries") or given.get("query") or list(given.values())
    listed = given if isinstance(given, list) else [given]
    found = [text.strip()[:LONGEST_QUERY] for text in listed if isinstance(text, str)]
    return [text for text in found if text][:MOST_QUERIES]


async def search_files(
    searcher: Searcher,
    vector_store_ids: Sequence[str],
    call: JSON,
    options: JSON,
    most_tokens: int,
) -> JSON:
    """Return the call with what was found. `options` are those of the file search tool.

    `most_tokens` bounds the passages unless the options say how many are wanted.
    """
    ranking = options.get("ranking_options") or {}
    threshold = ranking.get("score_threshold") or 0.0
    wanted = options.get("max_num_results")
    asked = queries(call["arguments"])
    query = SearchQuery(asked, wanted or DEFAULT_RESULTS, threshold)
    found = await searcher.search(vector_store_ids, query) if asked and vector_store_ids else []
    kept = found if wanted else _within(found, most_tokens)
    searched = {
        "ranking_options": {
            "ranker": ranking.get("ranker") or DEFAULT_RANKER,
            "score_threshold": threshold,
        },
        "results": [_result(result) for result in kept],
    }
    return {**call, "file_search": searched}


def passages(call: JSON, search: int) -> str:
    """Return what the model is told; `search` counts the searches of the run from 0."""
    results = call["file_search"].get("results") or []
    told = [
        f"{marker(search, number, result['file_name'])}\n{_text(result)}"
        for number, result in enumerate(results)
    ]
    return "\n\n".join(told) or NOTHING_FOUND


def sources(call: JSON, search: int) -> dict[str, str]:
    """Return the file ids behind the numbers of the markers."""
    results = call["file_search"].get("results") or []
    return {f"{search}:{number}": result["file_id"] for number, result in enumerate(results)}


def _within(found: Sequence[SearchResult], most_tokens: int) -> list[SearchResult]:
    kept: list[SearchResult] = []
    left = most_tokens
    for result in found:
        left -= estimated(result.text)
        if left < 0 and kept:
            break
        kept.append(result)
    return kept


def _result(result: SearchResult) -> JSON:
    return {
        "file_id": result.file_id,
        "file_name": result.filename,
        "score": result.score,
        "content": [{"type": "text", "text": result.text}],
    }


def _text(result: JSON) -> str:
    return "\n".join(part["text"] for part in result.get("content") or [])
