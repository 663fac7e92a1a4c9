"""Inline Markdown of a block (emphasis, code, links, formulas) as HTML or as bare text.

The content comes from models and is hostile: no raw HTML but a few bare tags, no images, only
web links, and everything goes through the sanitiser once more.
"""

import html
import re
from collections.abc import Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# markdown-it takes 0.2 s for the worst 20,000 characters that were found; longer text is escaped.
MAX_MARKDOWN_CHARS = 20_000
# A block beyond this is no page of a document; a note says how much was left out.
MAX_TEXT_CHARS = 1_000_000

PLAIN_TAGS = ("sup", "sub", "b", "i", "em", "strong", "br", "code")
_TAG = re.compile(rf"<(/?)({'|'.join(PLAIN_TAGS)})\s*/?>", re.IGNORECASE)
_SPECIAL = re.compile(r"[\\`*_\[\]<>&$~]")
_INLINE_TAGS = {"sup", "sub", "b", "i", "em", "strong", "br", "code", "s", "a", "span"}
_SCHEMES = {"http", "https", "mailto"}
# pandoc's rule for dollars: no space inside the marks, no digit behind the closing one.
MATH = re.compile(
    r"\$\$(?P<display>[^$]{1,4000}?)\$\$"
    r"|\$(?P<dollar>(?![\s$])(?:\\.|[^$\\]){0,2000}?(?<!\s))\$(?!\d)"
    r"|\\\((?P<round>.{1,2000}?)\\\)"
    r"|\\\[(?P<square>.{1,4000}?)\\\]",
    re.DOTALL,
)


def _math_rule(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's signature
    if state.src[state.pos] not in "$\\":
        return False
    match = MATH.match(state.src, state.pos)
    if match is None or match.end() > state.posMax:
        return False
    if not silent:
        kind = "math_display" if match.lastgroup in {"display", "square"} else "math_inline"
        token = state.push(kind, "span", 0)
        token.content = match[match.lastgroup or 0].strip()
    state.pos = match.end()
    return True


def _tag_rule(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's signature
    if state.src[state.pos] != "<":
        return False
    match = _TAG.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        token = state.push("plain_tag", "", 0)
        token.content = f"<{match[1]}{match[2].lower()}>"
    state.pos = match.end()
    return True


def _render_math(
    _self: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    _options: OptionsDict,
    _env: EnvType,
) -> str:
    kind = "display" if tokens[index].type == "math_display" else "inline"
    return f'<span class="math {kind}">{html.escape(tokens[index].content)}</span>'


def _render_tag(
    _self: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    _options: OptionsDict,
    _env: EnvType,
) -> str:
    return tokens[index].content


def make_parser(*block_rules: str) -> MarkdownIt:
    """A parser with our inline rules and just these block rules; raw HTML is never passed on."""
    parser = MarkdownIt("zero", {"html": False, "breaks": True})
    parser.enable(["emphasis", "strikethrough", "backticks", "escape", "entity"])
    parser.enable(["link", "autolink", "newline", *block_rules])
    parser.inline.ruler.before("escape", "math", _math_rule)
    parser.inline.ruler.before("autolink", "plain_tag", _tag_rule)
    for kind in ("math_inline", "math_display"):
        parser.add_render_rule(kind, _render_math)
    parser.add_render_rule("plain_tag", _render_tag)
    return parser


_PARSER = make_parser()


def cut(text: str) -> str:
    """The text, or its first million characters and a note."""
    if len(text) <= MAX_TEXT_CHARS:
        return text
    return f"{text[:MAX_TEXT_CHARS]} [… {len(text) - MAX_TEXT_CHARS} more characters]"


def inline_html(text: str) -> str:
    """Inline Markdown as safe HTML; line breaks become `<br>`."""
    text = text.strip()
    if len(text) > MAX_MARKDOWN_CHARS or not _SPECIAL.search(text):
        return html.escape(cut(text)).replace("\n", "<br>\n")
    return sanitize_inline(str(_PARSER.renderInline(text)))


def sanitize_inline(rendered: str) -> str:
    """What is left of inline HTML: a few bare tags, formulas and web links, balanced."""
    return nh3.clean(
        rendered,
        tags=_INLINE_TAGS,
        attributes={"a": {"href"}},
        allowed_classes={"span": {"math", "inline", "display"}},
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )


def inline_tokens(text: str) -> list[Token]:
    """Inline Markdown as the parser's tokens, `plain_tag` and `math_*` beside its own."""
    return _PARSER.parseInline(text)[0].children or []


def inline_text(text: str) -> str:
    """Inline Markdown without its marks."""
    text = text.strip()
    if len(text) > MAX_MARKDOWN_CHARS or not _SPECIAL.search(text):
        return cut(text)
    parts: list[str] = []
    for token in inline_tokens(text):
        if token.type in {"softbreak", "hardbreak"} or token.content == "<br>":
            parts.append("\n")
        elif token.type != "plain_tag":
            parts.append(token.content)
    return "".join(parts)
