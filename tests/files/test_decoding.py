"""Text in any encoding is read as it was written."""

import os

import pytest

from streamlit_assistant.files.decoding import decode
from streamlit_assistant.files.unreadable import Unreadable

SIMPLIFIED = "公司的员工每年有十五天年假。病假需要医生证明，请在系统里申请。差旅费用在一周内报销。"
TRADITIONAL = "公司的員工每年有十五天年假。病假需要醫生證明，請在系統裡申請。"
JAPANESE = "社員は毎年十五日の有給休暇を取ることができます。病気のときは医師の証明が必要です。"
KOREAN = "직원은 매년 십오 일의 휴가를 받습니다. 병가에는 의사의 증명서가 필요합니다."
RUSSIAN = "Сотрудники получают пятнадцать дней отпуска в год. Больничный требует справки."
GERMAN = "Das Mädchen hörte die Vögel über den Häusern; größere Bäume wären schöner."
FRENCH = "L’été dernier, j’ai mangé des crêpes – c’était très agréable à la plage."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SIMPLIFIED, "utf-8"),
        (SIMPLIFIED, "utf-8-sig"),
        (SIMPLIFIED, "utf-16"),
        (SIMPLIFIED, "utf-32"),
        (SIMPLIFIED, "gb18030"),
        (TRADITIONAL, "big5"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (KOREAN, "euc_kr"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (GERMAN, "latin-1"),
        (FRENCH, "cp1252"),
        ("plain\nASCII", "utf-16-le"),
        (f"{SIMPLIFIED}\n{SIMPLIFIED}\nend\n", "utf-16-be"),
    ],
)
def test_the_encoding_is_recognised(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_one_broken_byte_does_not_change_the_encoding() -> None:
    data = (SIMPLIFIED * 5).encode()

    assert decode(data + b"\xff").startswith(SIMPLIFIED)


@pytest.mark.parametrize(
    "data", [os.urandom(4000), bytes(4000), b"MZ" + bytes(range(256)) * 10, b"\x7fELF\x02" * 99]
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable, match="not text"):
        decode(data)
