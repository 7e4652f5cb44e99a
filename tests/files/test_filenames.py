"""Names that strangers chose."""

import pytest

from streamlit_assistant.files.filenames import clean_name


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("报告 2026.pdf", "报告 2026.pdf"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\me\notes.txt", "notes.txt"),
        ("a\x00b\r\nc\x1b.txt", "abc.txt"),
        ("harmless\u202efdp.exe", "harmlessfdp.exe"),
        ("line\u2028break", "linebreak"),
        ("half\ud83d", "half"),
        ("", "upload"),
        ("..", "upload"),
        ("dir/", "upload"),
        (" . ", "upload"),
        (".env", ".env"),
        ("👩‍👩‍👧.png", "👩‍👩‍👧.png"),
        ("x" * 300 + ".docx", "x" * 250 + ".docx"),
        ("x" * 300, "x" * 255),
        ("x" * 300 + "." + "y" * 100, "x" * 255),
    ],
)
def test_a_name_is_made_fit(given: str, clean: str) -> None:
    assert clean_name(given) == clean
