"""Formulas made whole: what a model forgot to close, or closed twice, breaks every renderer."""

import re

_MAX_CHARS = 20_000  # longer ones are loops, no formulas
_TOKEN = re.compile(
    r"\\(?:begin|end)\s*\{(?P<name>[A-Za-z]{1,20}\*?)\}"
    r"|\\(?P<side>left|right)(?![A-Za-z])\s*(?:\\[A-Za-z]+|\\.|.)?"
    r"|\\(?:[A-Za-z]+|.)"
    r"|(?P<brace>[{}])",
    re.DOTALL,
)


def balanced(latex: str) -> str:
    r"""The formula with every brace, environment and \left closed, once; unchanged where it is so.

    Closers without an opener go, what is open at the end is closed there, inner before outer.
    """
    if len(latex) > _MAX_CHARS or not ("{" in latex or "}" in latex or "\\" in latex):
        return latex
    done: list[str] = []
    open_ends: list[str] = []
    at = 0
    for token in _TOKEN.finditer(latex):
        done.append(latex[at : token.start()])
        at = token.end()
        opens, closes = _effect(token)
        if opens:
            open_ends.append(opens)
        elif closes and closes not in open_ends:
            done.append(token[0].removeprefix("\\right") if token["side"] else "")
            continue  # nothing to close: it goes, a delimiter stays
        elif closes:
            while open_ends[-1] != closes:  # what was opened inside and forgotten
                done.append(open_ends.pop())
            open_ends.pop()
        done.append(token[0])
    done.append(latex[at:])
    whole = "".join(done)
    slashes = len(whole) - len(whole.rstrip("\\"))
    gap = " " if open_ends and slashes % 2 else ""  # a last backslash would escape the closer
    return whole + gap + "".join(reversed(open_ends))


def _effect(token: re.Match[str]) -> tuple[str, str]:
    """(what would close it, what it closes); "" for neither."""
    if token["brace"]:
        return ("}", "") if token["brace"] == "{" else ("", "}")
    if token["name"]:
        end = f"\\end{{{token['name']}}}"
        return (end, "") if token[0].startswith("\\begin") else ("", end)
    if token["side"]:
        return ("\\right.", "") if token["side"] == "left" else ("", "\\right.")
    return "", ""
