"""Sentences of the server and how they are told in Chinese, on the server and in the browser."""

SAID = (
    (
        "The document has 2 pages; the selection '7' names none of them.",
        "文档有 2 页；所选范围 '7' 不包含其中任何一页。",
    ),
    ("'a b. c.pdf' is empty.", "'a b. c.pdf' 是空文件。"),
    (
        (
            "No process of split is on the bus: documents wait to be opened. Look at its log, "
            "or start one. (2 of 3 processes.) Meanwhile documents wait to be opened."
        ),
        (
            "总线上没有 split 的进程：文档等待打开。请查看其日志，或启动一个。"
            "（3 个进程中的 2 个。）在此期间，文档等待打开。"
        ),
    ),
    (
        "Job x1 is already done; there is nothing to cancel.",
        "任务 x1 的状态已为已完成；没有可取消的内容。",
    ),
    (
        (
            "The answer of fast was refused, and better reads it instead. "
            "The answer repeats itself: only 3% of it is new."
        ),
        "fast 的结果未通过检查，改由 better 识别。结果出现重复：其中只有 3% 是新内容。",
    ),
    (
        "Page 3: It is damaged and could not be read (code 7).",
        "第 3 页：已损坏，无法读取（code 7）。",
    ),
    (
        "The model says something new. The page is blank.",
        "The model says something new. 本页为空白。",
    ),
    (
        (
            "mineru is not started. Set it up first: `bash deploy/engine.sh mineru`. Start it with "
            "`quire engine mineru`, or with the server by `QUIRE_ENGINES=pymupdf,mineru`. "
            "Engines that are here: auto, pymupdf."
        ),
        (
            "mineru 未启动。请先安装：`bash deploy/engine.sh mineru`。"
            "启动方法：`quire engine mineru`，或随服务器一起启动："
            "`QUIRE_ENGINES=pymupdf,mineru`。可用的引擎：auto, pymupdf。"
        ),
    ),
    ("A.\nB? \\1 {n} <b> $&", "A.\nB? \\1 {n} <b> $&"),
    ("", ""),
)
