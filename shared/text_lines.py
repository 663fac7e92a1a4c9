"""Lines of text as an engine saw them, for layers of text over the page's picture."""

from dataclasses import dataclass

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line. `box` is as a block's: the upright bounds in 0..1 of the page as displayed."""

    text: str
    box: Box
