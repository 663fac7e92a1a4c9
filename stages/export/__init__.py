"""Dear formats, made when they are asked for: hOCR, Word, searchable PDF."""

from stages.export.making import make_export

__all__ = ["make_export"]
