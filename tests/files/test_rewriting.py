"""Questions cut down to what is worth searching for."""

import pytest

from streamlit_assistant.files.rewriting import keywords


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is the return policy for damaged goods?", "return policy damaged goods"),
        ("Why isn't C++ 17 supported by GPT-4.1?", "C++ 17 supported GPT-4.1"),
        ("退货政策是什么？", "退货政策"),
        ("请问如何申请 VPN 账号", "申请 VPN 账号"),
        ("what is it?", "what is it?"),
        ("  ", ""),
        ("E-Mail an max@example.org", "E-Mail max@example.org"),
    ],
)
def test_a_question_keeps_the_words_that_say_something(question: str, words: str) -> None:
    assert keywords(question) == words
