"""What answers say of a model's capabilities: verdicts in words for people, nothing asked here."""

from streamlit_assistant.errors import RunErrorCode, Unreachable
from streamlit_assistant.providers.capabilities import Capability, Check, Verdict
from streamlit_assistant.providers.probing.inquiry import Answer
from streamlit_assistant.providers.probing.questions import PURPLE_WORDS, fits_the_form
from streamlit_assistant.token_estimate import estimated

SLOW_SECONDS = 10.0  # until the first word
AT_ONCE_SECONDS = 0.02  # pieces that come within this time were held back somewhere …
HELD_SECONDS = 1.0  # … if the first of them took so long
SHORTEST_MEASURE = 0.05  # seconds; a rate over less means nothing
LONGEST_QUOTE = 60  # characters
SPENT = "It spent all the tokens it was given on thinking."


def streaming(answer: Answer) -> Check:
    """Judge whether an answer comes piece by piece, and how fast."""
    name = Capability.STREAMING
    if answer.trouble is not None:
        return Check(name, Verdict.NO, answer.trouble.message, answer.seconds)
    if answer.ran_out:
        return Check(name, Verdict.PARTLY, SPENT, answer.seconds)
    if not answer.text.strip():
        return Check(name, Verdict.NO, "It answered without a word.", answer.seconds)
    first, last = answer.pieces[0], answer.pieces[-1]
    if len(answer.pieces) == 1:
        words = "The whole answer comes in one piece."
        return Check(name, Verdict.PARTLY, words, answer.seconds)
    if last - first < AT_ONCE_SECONDS and first > HELD_SECONDS:
        words = f"All pieces come at once, after {first:.1f} seconds: something holds them back."
        return Check(name, Verdict.PARTLY, words, answer.seconds)
    rate = _tokens(answer) / (last - first) if last - first > SHORTEST_MEASURE else None
    speed = "" if rate is None else f", about {rate:.0f} tokens a second"
    words = f"It comes in {len(answer.pieces)} pieces{speed}."
    return Check(name, Verdict.YES, words, answer.seconds, rate)


def latency(answer: Answer) -> Check:
    """Judge how long the first word of an answer takes."""
    name = Capability.LATENCY
    if answer.trouble is not None:
        return failed(name, answer)
    if not answer.pieces:
        return Check(name, Verdict.UNKNOWN, "It answered without a word.", answer.seconds)
    first = answer.pieces[0]
    thinking = ", with the thinking before it" if answer.thoughts else ""
    words = f"The first word comes within {max(first, 0.1):.1f} seconds{thinking}."
    verdict = Verdict.YES if first <= SLOW_SECONDS else Verdict.PARTLY
    return Check(name, verdict, words, answer.seconds, round(first, 3))


def usage(answer: Answer) -> Check:
    """Judge whether the server counts the tokens of an answer."""
    name, counts = Capability.USAGE, answer.usage
    if counts is None or answer.is_estimated:
        return Check(name, Verdict.NO, "It does not count the tokens; they are estimated.")
    words = f"It counts them: {counts.prompt_tokens} read, {counts.completion_tokens} written."
    if counts.prompt_tokens and counts.completion_tokens:
        return Check(name, Verdict.YES, words)
    return Check(name, Verdict.PARTLY, words)


def reasoning(answer: Answer) -> Check:
    """Judge whether the model thinks before it answers, and whether that is shown."""
    name = Capability.REASONING
    if answer.thoughts:
        return Check(name, Verdict.YES, "It thinks before it answers, and shows its thoughts.")
    hidden = answer.usage.reasoning_tokens if answer.usage else 0
    if hidden:
        words = f"It thinks before it answers ({hidden} tokens), but does not show it."
        return Check(name, Verdict.PARTLY, words)
    return Check(name, Verdict.NO, "It answers at once, without showing any thoughts.")


def json_schema(answer: Answer) -> Check:
    """Judge whether an answer is in the form that was asked for."""
    name = Capability.JSON_SCHEMA
    if answer.trouble is not None:
        return failed(name, answer)
    fits = fits_the_form(answer.text)
    if fits:
        return Check(name, Verdict.YES, "It keeps to a given JSON schema.", answer.seconds)
    if answer.ran_out:
        return Check(name, Verdict.UNKNOWN, SPENT, answer.seconds)
    words = (
        "It does not keep to a JSON schema: it wrote plain text."
        if fits is None
        else "It writes JSON, but not as the schema wants it."
    )
    return Check(name, Verdict.NO, words, answer.seconds)


def vision(answer: Answer) -> Check:
    """Judge whether the model saw the colour of a purple picture."""
    name, said_colour = Capability.VISION, " ".join(answer.text.split())
    if answer.trouble is not None:
        return failed(name, answer)
    if any(word in said_colour.lower() for word in PURPLE_WORDS):
        return Check(name, Verdict.YES, "It sees images.", answer.seconds)
    if answer.ran_out:
        return Check(name, Verdict.UNKNOWN, SPENT, answer.seconds)
    quote = said_colour[:LONGEST_QUOTE] or "nothing"
    words = f"It takes images without seeing them: of a purple one it said “{quote}”."
    return Check(name, Verdict.NO, words, answer.seconds)


def context_length(tokens: int | None) -> Check:
    """Report how much the model can hold, if its server says so."""
    name = Capability.CONTEXT_LENGTH
    if tokens is None:
        words = "The server does not say how many tokens the model can hold."
        return Check(name, Verdict.UNKNOWN, words)
    return Check(name, Verdict.YES, f"It holds {tokens:,} tokens.", figure=tokens)


def failed(name: Capability, answer: Answer) -> Check:
    """Return what a request that failed says of a capability."""
    error = answer.trouble
    words = error.message if error else "It failed without a word."
    # A server that only asks for patience has not said that it cannot.
    busy = error is not None and (
        error.code is RunErrorCode.RATE_LIMIT_EXCEEDED or error.retry_after is not None
    )
    passing = answer.is_late or busy or isinstance(error, Unreachable)
    return Check(name, Verdict.UNKNOWN if passing else Verdict.NO, words, answer.seconds)


def _tokens(answer: Answer) -> int:
    if answer.usage is None:
        return estimated(answer.text)
    return max(answer.usage.completion_tokens - answer.usage.reasoning_tokens, 0)
