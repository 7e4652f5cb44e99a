"""Texts for the benchmarks of files: as many as wanted, the same every time, of real words."""

import random
from collections.abc import Iterator
from itertools import islice

_ENGLISH = """
the of and to in is that it was for on are as with his they at be this from have or by one had not
but what all were when we there can an your which their said if do will each about how up out them
then she many some so these would other into has more two like him see time could no make than first
water been call who oil its now find long down day did get come made may part over new sound take
only little work know place year live back give most very after thing our just name good sentence
man think say great where help through much before line right too mean old any same tell boy follow
came want show also around form three small set put end does another well large must big even such
because turn here why ask went men read need land different home us move try kind hand picture again
change off play spell air away animal house point page letter mother answer found study still learn
should world high every near add food between own below country plant last school father keep tree
"""
_SYLLABLES = "an ber con der el fra gor hin is jul kem lor mon nex opt pra qui ras sten tor un ver"
_CHINESE = """
公司 员工 管理 技术 系统 数据 服务 市场 产品 客户 合同 项目 时间 工作 问题 方法 研究 发展 经济 社会
政府 教育 学校 学生 老师 医院 医生 病人 药物 治疗 环境 保护 能源 电力 汽车 交通 城市 农村 农业 粮食
气候 天气 温度 历史 文化 艺术 音乐 电影 图书 新闻 网络 软件 硬件 电脑 手机 信息 安全 法律 法院 警察
银行 资金 投资 股票 价格 成本 利润 税收 贸易 出口 进口 国家 世界 人民 家庭 孩子 父母 朋友 生活 健康
的 是 在 和 了 有 对 为 与 将 可以 需要 进行 通过 根据 因此 但是 如果 已经 能够 主要 重要 其他 不同
"""
_RARE = 12_000  # words, as many as a few books use


def english(size: int, seed: int = 1) -> str:
    """So many bytes of English-looking prose."""
    return _filled(size, _sentences(random.Random(seed)))


def chinese(size: int, seed: int = 1) -> str:
    """So many bytes of Chinese-looking prose."""
    return _filled(size, _chinese_sentences(random.Random(seed)))


def markdown(size: int, seed: int = 1) -> str:
    """So many bytes of Markdown with headings, lists, tables and code."""
    return _filled(size, _blocks(random.Random(seed)))


def _filled(size: int, pieces: Iterator[str]) -> str:
    taken: list[str] = []
    length = 0
    while length < size:
        more = list(islice(pieces, 500))
        length += sum(len(piece.encode()) for piece in more)
        taken += more
    return "".join(taken)


def _rare_words(chance: random.Random) -> list[str]:
    syllables = _SYLLABLES.split()
    return ["".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(_RARE)]


def _sentences(chance: random.Random) -> Iterator[str]:
    common, rare = _ENGLISH.split(), _rare_words(chance)
    while True:
        words = [
            chance.choice(common) if chance.random() < 0.7 else _zipf(chance, rare)
            for _ in range(chance.randint(5, 25))
        ]
        gap = "\n\n" if chance.random() < 0.15 else " "
        yield " ".join(words).capitalize() + "." + gap


def _chinese_sentences(chance: random.Random) -> Iterator[str]:
    words = _CHINESE.split()
    letters = [chr(0x4E00 + number * 7) for number in range(2_900)]
    rare = ["".join(chance.choices(letters, k=2)) for _ in range(_RARE)]
    while True:
        clauses = [
            "".join(
                chance.choice(words) if chance.random() < 0.8 else _zipf(chance, rare)
                for _ in range(chance.randint(3, 9))
            )
            for _ in range(chance.randint(1, 4))
        ]
        gap = "\n\n" if chance.random() < 0.15 else ""
        yield "，".join(clauses) + chance.choice("。。。！？") + gap


def _blocks(chance: random.Random) -> Iterator[str]:
    prose = _sentences(chance)
    for number in range(10**9):
        yield f"## Section {number}: `module_{number % 97}.call(x)`\n\n"
        yield "".join(islice(prose, 8)) + "\n\n"
        yield f"- **first** item {number}\n- [second](https://example.com/a/{number}?b=c)\n\n"
        yield f"| name | value |\n| --- | --- |\n| size_{number % 31} | {number * 37} |\n\n"
        yield f"```python\ndef compute_{number % 53}(x, y):\n    return x ** 2 + y_value\n```\n\n"


def _zipf(chance: random.Random, words: list[str]) -> str:
    return words[int(len(words) ** chance.random()) - 1]
