r"""Page layer, pure: fits an answer's markdown to what st.markdown makes of it.

Streamlit has rules of its own on top of CommonMark: they would turn two prices into a formula,
":100:" into an emoji and "note:see[1]" into "note:see". Models, for their part, write formulas
between \( \) and \[ \]. Code, links and HTML tags pass through untouched.
"""

import re
from collections.abc import Callable

# Every part is bounded or stops at the next opening mark: hostile text costs linear time as well.
_BETWEEN_BRACKETS = r"(?:(?!\\[\[\]])[\s\S]){1,4000}"
_BETWEEN_DOLLARS = r"(?:[^$\\]|\\[\s\S]){1,4000}"
_TOKEN = re.compile(
    rf"""
    (?P<fence>    ^[ >\t]*(?P<marks>`{{3,}}|~{{3,}})[^\n]*(?:\n|\Z)
                  (?:(?![ >\t]*(?P=marks))[^\n]*\n)*(?:[^\n]*) )
  | (?P<target>   ^[ ]{{0,3}}\[[^\[\]\n]+\]:[ \t][^\n]*$ )
  | (?P<display>  ^(?P<indent>[ \t]*)
                  (?:\\\[(?P<a>{_BETWEEN_BRACKETS})\\\]|\$\$(?P<b>{_BETWEEN_DOLLARS})\$\$)[ \t]*$ )
  | (?P<code>     (?<!`)(?P<ticks>`+)(?!`)[^`]+
                  (?:(?!(?P=ticks)(?!`))`+[^`]+){{0,20}}(?P=ticks)(?!`) )
  | (?P<bracket>  \\\[(?P<bracketed>{_BETWEEN_BRACKETS})\\\] )
  | (?P<paren>    \\\((?P<parenthesized>(?:(?!\\[()]|\n[ \t]*\n)[\s\S]){{1,2000}})\\\) )
  | (?P<escape>   \\[!-/:-@\[-`{{-~] )
  | (?P<tag>      <(?:[a-z][a-z0-9+.-]{{1,31}}:[^\s<>]*|/?[a-z][a-z0-9-]*(?:\s[^<>]*)?/?)> )
  | (?P<url>      (?:https?://|www\.)[!-;=?-_a-~]+ )
  | (?P<sandbox>  !?\[(?P<label>[^\[\]\n]{{0,500}})\]\(<?sandbox:[^()<>\s]*>?\) )
  | (?P<image>    !\[(?=[^\[\]]{{0,500}}\][(\[]) )
  | (?P<doubled>  \$\${_BETWEEN_DOLLARS}\$\$ )
  | (?P<single>   (?<![A-Za-z0-9$])\$(?P<between>(?:[^$\\\n]|\\.){{1,1000}})\$(?![A-Za-z0-9$]) )
  | (?P<stray>    \$+ )
  | (?P<strong>   (?<!\*)\*\*(?P<bold>[^*\s](?:[^*\n]{{0,500}}[^*\s])?)\*\*(?!\*) )
  | (?P<tilde>    (?<!~)~(?!~) )
  | (?P<icon>     :material/ )
  | (?P<colon>    (?<=[A-Za-z0-9_+]):|:(?=[A-Za-z0-9_+:]) )
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
HAIR_SPACE = "\u200a"
_FOOTNOTE = re.compile(r"^( {0,3})\[(?=\^[^\[\]]+\]:)", re.MULTILINE)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_FENCE = re.compile(r"^[ >\t]*(?:`{3,}|~{3,})", re.MULTILINE)
_HALF_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*$")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")

_TEX = re.compile(r"\\[A-Za-z]|[\\^_=+*/<>|]")
_PROSE = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_AMOUNT = re.compile(r"\d[\d.,]*\s*[A-Za-z]{2,}")


def for_streamlit(markdown: str) -> str:
    """The same text, written so that st.markdown shows what CommonMark would."""
    # Footnotes would be torn from their marks by the cut into blocks: they are shown as written.
    return _TOKEN.sub(_rewritten, _FOOTNOTE.sub(r"\1\[", markdown))


def table_for_streamlit(markdown: str) -> str:
    """The same for a table, in whose cells <br> is the only way to break a line."""
    # A line break that is text and not markdown; the style sheet has cells show it.
    return for_streamlit(_BREAK.sub("&#10;", markdown))


def formula(block: str) -> str:
    r"""A display formula, between $$ or \[ \], as Streamlit wants it: $$ on lines of their own."""
    body = block.strip()[2:].strip().removesuffix("$$").removesuffix(r"\]")
    return _displayed(body, indent="")


def mended(growing: str) -> str:
    """Growing text, with the marks closed that its last line leaves open."""
    if len(_FENCE.findall(growing)) % 2:
        return growing
    head, newline, line = growing.rpartition("\n")
    if line.count("`") % 2:
        return growing + "`"
    line = _HALF_LINK.sub(r"\1", line)
    if line.count("**") % 2:
        line = line.removesuffix("**") if line.endswith("**") else line.removesuffix("*") + "**"
    return head + newline + line


def plain(text: str) -> str:
    """Text for a widget's label, in which nothing is left to format."""
    return _PUNCTUATION.sub(r"\\\g<0>", " ".join(text.split()))


def _rewritten(token: re.Match[str]) -> str:
    rewrite = _REWRITES.get(token.lastgroup or "")
    return rewrite(token) if rewrite else token[0]


def _display(token: re.Match[str]) -> str:
    body = token["a"] or token["b"]
    if token["a"] and not _TEX.search(body):
        return token[0]  # brackets that were meant as brackets
    return token["indent"] + _displayed(body, token["indent"])


def _bracket(token: re.Match[str]) -> str:
    body = token["bracketed"]
    return f"$${_on_one_line(body)}$$" if _TEX.search(body) else token[0]


def _doubled(token: re.Match[str]) -> str:
    return _on_one_line(token[0])


def _displayed(body: str, indent: str) -> str:
    lines = [line.strip() for line in body.split("\n") if line.strip()]
    return f"\n{indent}".join(["$$", *lines, "$$"])


def _paren(token: re.Match[str]) -> str:
    body = _on_one_line(token["parenthesized"])
    # Before a digit a single dollar sign would close nothing.
    marks = "$$" if token.string[token.end() : token.end() + 1].isdigit() else "$"
    return f"{marks}{body}{marks}" if body else token[0]


def _dollars(token: re.Match[str]) -> str:
    body = token["between"]
    if body != body.strip() or _AMOUNT.match(body):
        return _escaped(token)
    return token[0] if "\\" in body or not _PROSE.search(body) else _escaped(token)


def _strong(token: re.Match[str]) -> str:
    body, line = token["bold"], token.string
    # Between a letter and a punctuation mark CommonMark takes ** for text, as in "**注意：**请看",
    # where Chinese has no spaces to tell it better. A hair space does, and is next to unseen.
    before = line[token.start() - 1 : token.start()]
    after = line[token.end() : token.end() + 1]
    lead = HAIR_SPACE if before.isalnum() and not body[0].isalnum() else ""
    trail = HAIR_SPACE if after.isalnum() and not body[-1].isalnum() else ""
    return f"{lead}**{for_streamlit(body)}**{trail}"


def _sandboxed(token: re.Match[str]) -> str:
    # A path in the room where a model's program ran: a link to it would lead nowhere.
    return for_streamlit(token["label"])


def _escaped(token: re.Match[str]) -> str:
    return token[0].replace("$", r"\$").replace(r"\\$", r"\$")


def _on_one_line(body: str) -> str:
    return " ".join(body.split())


_REWRITES: dict[str, Callable[[re.Match[str]], str]] = {
    "display": _display,
    "bracket": _bracket,
    "paren": _paren,
    "doubled": _doubled,
    "single": _dollars,
    "stray": _escaped,
    "strong": _strong,
    "sandbox": _sandboxed,
    "tilde": lambda _: r"\~",  # one is for "3~5 days"; it takes two to strike out
    # A link in place of the image, which would call a stranger's server without being asked.
    "image": lambda _: "[🖼 ",
    "icon": lambda _: r"\:material\/",
    "colon": lambda _: r"\:",
}
