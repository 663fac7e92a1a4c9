"""`quire eval DIR --engine a --engine b`: runs like `quire ocr`, then scores."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.evaluation.measuring import Measuring, names_of
from deploy.evaluation.page import html_page
from deploy.evaluation.report import as_json, text_table, worst_first
from deploy.evaluation.truths import find_truths
from deploy.log_lines import Say, Terminal
from deploy.ocr import Conversion, OcrRequest, with_engines
from deploy.supervisor import require_supervision
from shared.settings import Settings

_WORST = 5  # named in the terminal


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """What was asked for on the command line; empty paths are not written."""

    folder: str
    engines: tuple[str, ...]
    json: str = ""
    html: str = ""
    verbose: bool = False


def run_eval(settings: Settings, request: EvalRequest) -> int:
    """Read every document with every engine and print the table; 1 when something failed."""
    require_supervision()
    folder = Path(request.folder)
    truths = find_truths(folder)
    measuring = Measuring(truths)
    engines = tuple(dict.fromkeys(request.engines or ("pymupdf",)))
    engine = ",".join(engines)
    terminal = Terminal(sys.stderr)
    say: Say = terminal if request.verbose else lambda _role, _line: None
    ocr = OcrRequest(files=measuring.files, engine=engine)
    code = asyncio.run(Conversion(with_engines(settings, engine), ocr, measuring).run(say))
    if not measuring.rows:
        return code or 1
    measuring.add_unread(engines)
    print(text_table(measuring.rows))
    print(f"\nWorst of {names_of(folder, truths)}:")
    for row in worst_first(measuring.rows)[:_WORST]:
        print(f"  {row.scores.ned:.4f}  {row.engine}  {row.truth.name}")
    if request.json:
        Path(request.json).write_text(as_json(measuring.rows), encoding="utf-8")
    if request.html:
        title = f"quire eval: {names_of(folder, truths)}"
        Path(request.html).write_text(html_page(title, measuring.rows), encoding="utf-8")
    return code
