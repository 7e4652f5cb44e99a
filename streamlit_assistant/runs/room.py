"""How many tokens a round of a run may cost."""

from dataclasses import dataclass

from streamlit_assistant.records import JSON, Run
from streamlit_assistant.runs.token_usage import NO_TOKENS

PASSAGE_TOKENS, FEWER_PASSAGE_TOKENS = 16_000, 4_000  # the latter where nobody knows the context
SHARE_OF_PASSAGES = 3  # passages may take a third of the model's context
SHARE_OF_ANSWER = 4  # a quarter of the context is left to the answer


@dataclass(frozen=True)
class Room:
    """Tokens a round may cost. None: nobody set a limit.

    `is_budget`: the prompt's limit was asked for, so what exceeds it is refused. A limit we only
    know of is the model server's to enforce: our count is an estimate.
    """

    prompt: int | None = None
    completion: int | None = None
    is_budget: bool = False


def room_for(run: Run, spent: JSON | None, context: int | None) -> Room:
    """Return what is left for the next round; `context` is what the model holds, if known."""
    used = spent or NO_TOKENS
    prompt, completion = run.max_prompt_tokens, run.max_completion_tokens
    budgeted = prompt is not None
    if prompt is not None:
        prompt -= used["prompt_tokens"]
    if completion is not None:
        completion = max(completion - used["completion_tokens"], 0)
    if context is not None:
        fitting = context - context // SHARE_OF_ANSWER
        return Room(fitting if prompt is None else min(prompt, fitting), completion, budgeted)
    return Room(prompt, completion, budgeted)


def passage_tokens(context: int | None) -> int:
    """Return how many tokens of passages a search may bring."""
    if context is None:
        return FEWER_PASSAGE_TOKENS
    return min(PASSAGE_TOKENS, context // SHARE_OF_PASSAGES)
