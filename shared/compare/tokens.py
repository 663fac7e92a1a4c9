"""Text in comparable pieces: words, and single characters where a script has no spaces."""

import re
import unicodedata
from dataclasses import dataclass

# Han, kana and their punctuation, full-width forms: each character is a word of its own.
_SOLID = (
    r"\u2e80-\u312f\u31a0-\u31bf\u31f0-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
    r"\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[{_SOLID}]|(?:(?![{_SOLID}])\w)+|[^\w\s]")
# One spelling for what engines and fonts write in several ways.
_UNIFIED = str.maketrans(
    {
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‘’‚‛′´`", "'"),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "\u00ad": None,
        "\u200b": None,
        "\ufeff": None,
    }
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a text: how it is compared, and where it stands."""

    key: str
    start: int
    end: int


def unified(text: str) -> str:
    """NFKC with one kind of quotes and dashes, spaces collapsed."""
    text = unicodedata.normalize("NFKC", text).translate(_UNIFIED)
    return " ".join(text.split())


def tokens_of(text: str) -> list[Token]:
    """The pieces of the text in order; positions are those of the text as given."""
    return [
        Token(unified(match[0]) or match[0], match.start(), match.end())
        for match in _TOKEN.finditer(text)
    ]


def keys_of(text: str) -> list[str]:
    """The pieces of the text as they are compared."""
    return _TOKEN.findall(unified(text))
