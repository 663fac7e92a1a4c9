r"""LaTeX formulas as MathML Core, which browsers draw without a script.

The converter copies text and attributes of its input as they are (`\text{<script>}`, `\href`),
and the input is hostile: its element tree is written anew here, with known elements and
attributes only. What it cannot read stays LaTeX.
"""

import html
import re
from functools import lru_cache
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

MAX_LATEX_CHARS = 3000  # 20 ms; a longer one is no formula of a page
_MAX_ELEMENTS = 4000
ELEMENTS = frozenset(
    {"math", "menclose", "mfrac", "mi", "mlabeledtr", "mmultiscripts", "mn", "mo", "mover"}
    | {"mpadded", "mphantom", "mprescripts", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle"}
    | {"msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover"}
)
_ATTRIBUTE = re.compile(
    r"(?:accent|accentunder|columnalign|columnlines|columnspacing|columnspan|depth|displaystyle|"
    r"fence|form|height|largeop|linethickness|lspace|mathcolor|mathsize|mathvariant|maxsize|"
    r"minsize|movablelimits|notation|rowalign|rowlines|rowspacing|rspace|scriptlevel|separator|"
    r"stretchy|symmetric|voffset|width)"
)
_VALUE = re.compile(r"[\w#.%+\- ]{0,60}")
# Environments that the converter does not know, or numbers by itself, by those that look the same.
_LIKE = (
    (re.compile(r"\\(begin|end)\{(?:align(?:ed)?|flalign|eqnarray)\*?\}"), r"\\\1{split}"),
    (re.compile(r"\\begin\{(?:alignat|alignedat)\*?\}\s*\{\d{0,2}\}"), r"\\begin{split}"),
    (re.compile(r"\\end\{(?:alignat|alignedat)\*?\}"), r"\\end{split}"),
    (re.compile(r"\\(begin|end)\{(?:gather(?:ed)?|multline)\*?\}"), r"\\\1{matrix}"),
    (re.compile(r"\\(begin|end)\{dcases\}"), r"\\\1{cases}"),
)
_SCRIPTED = {"msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3}
_SPAN = re.compile(r'<span class="math (inline|display)">([^<]*)</span>')


def with_mathml(rendered: str) -> str:
    """Sanitised HTML with its `<span class="math ...">` formulas drawn."""

    def draw(match: re.Match[str]) -> str:
        kind, latex = match[1], html.unescape(match[2])
        drawn = latex_to_mathml(latex, display=kind == "display")
        return f'<span class="math {kind}">{drawn}</span>' if drawn else match[0]

    return _SPAN.sub(draw, rendered) if "math" in rendered else rendered


@lru_cache(maxsize=512)  # the same few symbols stand on a page again and again
def latex_to_mathml(latex: str, *, display: bool) -> str | None:
    """A `<math>` element with the LaTeX as its alternative text; None when it cannot be read."""
    if not latex.strip() or len(latex) > MAX_LATEX_CHARS:
        return None
    known = latex
    for environment, alike in _LIKE:
        known = environment.sub(alike, known)
    try:
        root = convert_to_element(known)
    except Exception:  # noqa: BLE001 - on nonsense it raises whatever comes, and no common class
        return None
    if sum(1 for _ in root.iter()) > _MAX_ELEMENTS:
        return None
    if any(_text(each.text) == "&" for each in root.iter("mi")):
        return None  # columns of an environment that it does not know
    kind = "block" if display else "inline"
    alternative = html.escape(" ".join(latex.split()))
    inner = "".join(_written(child) for child in root)
    return f'<math display="{kind}" alttext="{alternative}">{inner}</math>'


def _written(element: Element) -> str:
    """The element with all that is in it, escaped; of an unknown one only what is in it."""
    name = str(element.tag)
    parts = [_written(child) for child in element]
    spare = len(parts) - _SCRIPTED.get(name, len(parts))
    if spare > 0:  # of `pmatrix` and the like the converter gives fences and table one by one
        parts[: spare + 1] = [f"<mrow>{''.join(parts[: spare + 1])}</mrow>"]
    inner = html.escape(_text(element.text), quote=False) + "".join(parts)
    if name not in ELEMENTS:
        return inner
    attributes = "".join(
        f' {key}="{value}"'
        for key, value in sorted(element.attrib.items())
        if _ATTRIBUTE.fullmatch(key) and _VALUE.fullmatch(value)
    )
    return f"<{name}{attributes}>{inner}</{name}>"


def _text(text: str | None) -> str:
    """The converter writes symbols as numeric entities."""
    return html.unescape(text or "")
