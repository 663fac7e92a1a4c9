"""What `quire eval` found, as a table, as JSON, and page by page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from deploy.evaluation.measuring import Row

_COLUMNS = ("engine", "texts", "NED", "CER", "order", "TEDS", "s/page", "attempts/page", "failed")


@dataclass(frozen=True, slots=True)
class Summary:
    """One engine over all texts; means leave out texts that say nothing about a measure."""

    engine: str
    texts: int
    ned: float
    cer: float
    order: float | None
    teds: float | None
    seconds_a_page: float
    attempts_a_page: float
    failed_pages: int

    @classmethod
    def of(cls, engine: str, rows: Sequence[Row]) -> "Summary":
        """The means of some rows."""
        pages = max(1, sum(row.pages for row in rows))
        return cls(
            engine=engine,
            texts=len(rows),
            ned=fmean(row.scores.ned for row in rows),
            cer=fmean(row.scores.cer for row in rows),
            order=_mean([row.scores.order for row in rows]),
            teds=_mean([row.scores.teds for row in rows]),
            seconds_a_page=sum(row.seconds for row in rows) / pages,
            attempts_a_page=sum(row.attempts for row in rows) / pages,
            failed_pages=sum(row.failed for row in rows),
        )

    def cells(self) -> tuple[str, ...]:
        """As texts, in the order of the table."""
        return (
            self.engine,
            str(self.texts),
            f"{self.ned:.4f}",
            f"{self.cer:.4f}",
            shown(self.order, 3),
            shown(self.teds, 3),
            f"{self.seconds_a_page:.2f}",
            f"{self.attempts_a_page:.2f}",
            str(self.failed_pages),
        )


def summaries(rows: Sequence[Row]) -> list[Summary]:
    """One for each engine, the best NED first."""
    engines = dict.fromkeys(row.engine for row in rows)
    found = [Summary.of(name, [row for row in rows if row.engine == name]) for name in engines]
    return sorted(found, key=lambda summary: summary.ned)


def worst_first(rows: Sequence[Row]) -> list[Row]:
    """By NED, then by tables."""
    return sorted(rows, key=lambda row: (-row.scores.ned, row.scores.teds or 0.0, row.truth.name))


def text_table(rows: Sequence[Row]) -> str:
    """The table of engines, aligned for a terminal."""
    lines = [_COLUMNS, *(summary.cells() for summary in summaries(rows))]
    widths = [max(len(line[n]) for line in lines) for n in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_json(rows: Sequence[Row]) -> str:
    """Engines and single texts, the worst first."""
    engines: list[dict[str, Any]] = [
        {
            "engine": summary.engine,
            "texts": summary.texts,
            "ned": round(summary.ned, 6),
            "cer": round(summary.cer, 6),
            "order": summary.order,
            "teds": summary.teds,
            "seconds_a_page": round(summary.seconds_a_page, 3),
            "attempts_a_page": round(summary.attempts_a_page, 3),
            "failed_pages": summary.failed_pages,
        }
        for summary in summaries(rows)
    ]
    texts = [row.to_json() for row in worst_first(rows)]
    return json.dumps({"engines": engines, "texts": texts}, ensure_ascii=False, indent=1) + "\n"


def columns() -> tuple[str, ...]:
    """The heads of the table."""
    return _COLUMNS


def shown(value: float | None, digits: int) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
