"""Words that say nothing about what is searched for."""

_ENGLISH = """
    a about all also am an and any are as at be because been but by can could d did didn do does
    doesn don for from had has have he her here him his how i if in into is isn it its just ll m
    may me my no not of on or our please re s she should so some such t tell than that the their
    them then there these they this those to us ve was we were what when where which who whom whose
    why will with would you your
"""
_CHINESE = """
    为什么 怎么样 有没有 能不能 是不是 可不可以 请告诉我 告诉我 為什麼 怎麼樣 有沒有 是什么 是什麼
    什么 什麼 怎么 怎麼 怎样 怎樣 如何 哪些 哪个 哪個 哪里 哪裡 哪儿 多少 几个 幾個 是否 可以 能够
    请问 請問 我们 我們 你们 你們 他们 他們 这个 這個 那个 那個 这些 這些 那些 一下 以及 或者 还是
    因为 所以 关于 對於 对于 關於
"""

ENGLISH = frozenset(_ENGLISH.split())
# Taken out of a query before it is cut into pairs; the longer ones first.
CHINESE = sorted(_CHINESE.split(), key=len, reverse=True)
# Characters that mostly stand between words: a pair with one of them may be no word at all.
PARTICLES = frozenset(
    "的了是吗嗎呢吧啊和与與在有我你他她它这這那就也都很被把让讓给給从從对對于於几幾个個"
    "のはがをにでともへや은는이가을를의에도"
)
