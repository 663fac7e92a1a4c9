"""An engine whose answers attack whoever shows them: in every block type, in every field."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.blocks import Block, BlockType, PageOutput
from shared.errors import PageFailed
from shared.ocr_backend import Answer, PageFeed
from tests.fakes.engines import TextEngine

ATTACKS = (
    "<script>attack()</script>",
    "<img src=x onerror=attack()>",
    "<svg onload=attack()><script>attack()</script></svg>",
    '<a href="javascript:attack()">click</a>',
    '<a href="java\tscript:attack()">click</a>',
    "<iframe srcdoc='<script>attack()</script>'></iframe>",
    "<math><mtext><style><img src=x onerror=attack()></style></mtext></math>",
    '<form action="javascript:attack()"><button formaction="javascript:attack()">x</button></form>',
    "<meta http-equiv=refresh content='0;url=javascript:attack()'>",
    "<base href='//evil.example/'><object data='data:text/html,x'></object><embed src=x>",
    "<p style='background:url(javascript:attack())' onclick=attack()>styled</p>",
    "[link](javascript:attack())",
    "[link](JaVaScRiPt&#58;attack())",
    "[data](data:text/html;base64,PHNjcmlwdD4=)",
    "![picture](x onerror=attack())",
    "![picture](javascript:attack())",
    "[ref]: javascript:attack()",
    "<javascript:attack()>",
    "`</code><script>attack()</script>`",
    "``` `<script>attack()</script>",
    "$\\href{javascript:attack()}{x}$ $<script>attack()</script>$",
    "--><script>attack()</script><!--",
    "]]><script>attack()</script>",
    '" onmouseover="attack()',
    "' onfocus='attack()' autofocus='",
    "</textarea></title></style></script><script>attack()</script>",
    "&lt;script&gt;attack()&lt;/script&gt;",
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="attack()"><script>attack()</script></svg>'
IMAGES = ("../../etc/passwd", "javascript:attack()", '"onerror="attack()', "x" * 64)


class HostileEngine(TextEngine):
    """A page that says FAIL is refused with a hostile reason, any other is answered."""

    name = "hostile"

    def recognize(
        self, feed: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        for key, answer in super().recognize(feed, progress):
            if isinstance(answer, PageOutput) and b"FAIL" in answer.raw:
                yield key, PageFailed(" ".join(ATTACKS), code="refused")
            else:
                yield key, answer

    def _answer(self, text: str, _progress: Callable[[], None]) -> Answer:
        raw = json.dumps({"text": text}).encode()
        crop = hashlib.sha256(SVG).hexdigest()
        return PageOutput(
            self.parse_raw(raw, {}),
            raw,
            width=595,
            height=842,
            source="<script>attack()</script>",
            images={crop: SVG},
            warnings=ATTACKS[:4],
            model="<script>attack()</script>",
            timings={"<script>attack()</script>": 1.0},
        )

    @staticmethod
    def parse_raw(_raw: bytes, _options: Mapping[str, Any]) -> tuple[Block, ...]:
        blocks: list[Block] = []
        for kind in BlockType:
            alone = ATTACKS if kind in {BlockType.TEXT, BlockType.TABLE} else ()
            for attack in (*alone, "\n".join(ATTACKS), "- " + "\n- ".join(ATTACKS)):
                order = len(blocks)
                top = (order % 90) / 100
                content = f"needle {attack}"
                if kind is BlockType.TABLE:
                    content = f"<table><tr><td>needle {attack}</td><th>{attack}</th></tr></table>"
                blocks.append(
                    Block(kind, order, (0.1, top, 0.9, top + 0.01), content, engine="hostile")
                )
        for image in (*IMAGES, hashlib.sha256(SVG).hexdigest()):
            blocks.append(
                Block(BlockType.FIGURE, len(blocks), (0, 0, 1, 1), ATTACKS[1], image=image)
            )
        return tuple(blocks)
