"""Deltas and what they add up to."""

import random

from streamlit_assistant import responses
from streamlit_assistant.runs.delta_fold import REFUSAL, TEXT, MessageFold, fold_deltas


def test_only_the_first_delta_of_a_text_carries_annotations() -> None:
    fold = MessageFold()

    first, second = fold.append(TEXT, "Hel"), fold.append(TEXT, "lo")

    assert first == {"index": 0, "type": "text", "text": {"value": "Hel", "annotations": []}}
    assert second == {"index": 0, "type": "text", "text": {"value": "lo"}}


def test_a_refusal_opens_a_part_of_its_own() -> None:
    fold = MessageFold()

    fold.append(TEXT, "Well,")
    part = fold.append(REFUSAL, "no")

    assert part == {"index": 1, "type": "refusal", "refusal": "no"}
    assert [p["type"] for p in fold.content] == ["text", "refusal"]


def test_an_empty_fold_says_so() -> None:
    assert MessageFold().empty
    assert MessageFold().content == []


def test_folded_deltas_are_the_final_content_however_the_text_is_cut() -> None:
    dice = random.Random(7)
    for _ in range(200):
        fold = MessageFold()
        deltas = [
            responses.message_delta(
                "msg_1",
                fold.append(
                    dice.choice([TEXT, TEXT, TEXT, REFUSAL]),
                    "".join(dice.choices("ab 小智🙂\n", k=dice.randrange(1, 6))),
                ),
            )
            for _ in range(dice.randrange(1, 30))
        ]

        assert fold_deltas(deltas) == fold.content
