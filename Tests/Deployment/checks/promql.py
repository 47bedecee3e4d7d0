"""What a PromQL expression asks for: metrics, the labels it selects them by, and the labels it groups by.

Not a parser of all of PromQL, promtool is that; a reader of its words, for expressions that promtool accepts.
"""

import re
from dataclasses import dataclass, field

WORDS = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
      | (?P<range>\[[^\]]*\])
      | (?P<number>\d[\w.]*(?:[eE][+-]?\d+)?|\.\d+)
      | (?P<name>[a-zA-Z_:][\w:]*)
      | (?P<sign>=~|!~|!=|==|>=|<=|.)""",
    re.VERBOSE,
)
KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}


@dataclass(frozen=True)
class Matcher:
    label: str
    sign: str
    value: str


@dataclass(frozen=True)
class Selector:
    metric: str
    matchers: tuple[Matcher, ...] = ()


@dataclass
class Asked:
    selectors: list[Selector] = field(default_factory=list)
    # Labels of `by (…)` and the like.
    labels: set[str] = field(default_factory=set)

    @property
    def metrics(self) -> set[str]:
        return {selector.metric for selector in self.selectors}


def asked(expr: str) -> Asked:
    words = [(match.lastgroup, match.group()) for match in WORDS.finditer(expr) if match.lastgroup != "space"]
    found = Asked()
    index = 0
    while index < len(words):
        kind, word = words[index]
        following = words[index + 1][1] if index + 1 < len(words) else ""
        index += 1
        if kind != "name" or word.lower() in KEYWORDS:
            continue
        if word in LISTS:
            if following == "(":
                end = words.index(("sign", ")"), index)
                found.labels |= {text for each, text in words[index:end] if each == "name"}
                index = end + 1
        elif following == "{":
            end = words.index(("sign", "}"), index)
            found.selectors.append(Selector(word, matchers(words[index + 1 : end])))
            index = end + 1
        elif following != "(" and not is_aggregation(words, index):
            found.selectors.append(Selector(word))
    return found


def is_aggregation(words: list[tuple[str | None, str]], index: int) -> bool:
    """`sum by (job) (…)`: what stands before is no metric."""
    return index < len(words) and words[index][1] in ("by", "without")


def matchers(words: list[tuple[str | None, str]]) -> tuple[Matcher, ...]:
    plain = [word for word in words if word[1] != ","]
    return tuple(
        Matcher(label, sign, value[1:-1].replace("\\\\", "\\"))
        for (_, label), (_, sign), (_, value) in zip(plain[::3], plain[1::3], plain[2::3], strict=True)
    )
