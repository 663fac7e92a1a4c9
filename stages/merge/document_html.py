"""The frame of result.html: one document without scripts, readable in light and dark."""

import html

_STYLE = """
:root { color-scheme: light dark; --ink: #1d1f21; --paper: #fdfdfb; --faint: #6a6f76;
  --line: #d9dad6; --tint: #f3f3ef; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e0; --paper: #17191b; --faint: #9aa0a6;
  --line: #383b3f; --tint: #212427; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1.05rem/1.6 Charter, Georgia, "Noto Serif", "Noto Serif CJK SC", serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2rem 1.25rem 5rem; overflow-wrap: break-word; }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; margin: 1.8em 0 .6em;
  font-family: system-ui, "Noto Sans", sans-serif; }
h1 { font-size: 1.9rem; } h2 { font-size: 1.45rem; } h3 { font-size: 1.2rem; }
h4, h5, h6 { font-size: 1.05rem; }
figure { margin: 1.5rem 0; } img { max-width: 100%; height: auto; background: #fff; }
figcaption, .caption, .footnote { color: var(--faint); font-size: .9rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; }
th, td { border: 1px solid var(--line); padding: .3rem .55rem; vertical-align: top; }
th, tr:first-child td { background: var(--tint); }
pre { background: var(--tint); padding: .8rem 1rem; overflow-x: auto; line-height: 1.4; }
code, .math { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em; }
.math.display { display: block; margin: 1.2rem 0; text-align: center; white-space: pre-wrap; }
.note { border-left: 3px solid #c4302b; padding-left: .8rem; color: var(--faint); }
.page { float: right; margin-right: -1rem; color: var(--faint); }
.page::after { content: attr(data-page); font: .75rem system-ui, sans-serif; }
td .page, th .page { float: none; margin: 0 .4em 0 0; }
td .page::after, th .page::after { vertical-align: super; font-size: .65rem; }
@media print { .page { display: none; } }
"""


def document_head(title: str) -> str:
    """Everything before the first block."""
    return (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src 'self' file:\">\n"
        '<meta name="generator" content="quire">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
    )


DOCUMENT_END = "</main>\n</body>\n</html>\n"
