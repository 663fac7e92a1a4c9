"""From logits to the next token, without the host: bans, choice, ends."""

import triton
import triton.language as tl

from engines.deepseek.native import slots as field

_COLUMNS = tl.constexpr(field.COLUMNS)
_TOKEN = tl.constexpr(field.TOKEN)
_POSITION = tl.constexpr(field.POSITION)
_ACTIVE = tl.constexpr(field.ACTIVE)
_MADE = tl.constexpr(field.MADE)
_LIMIT = tl.constexpr(field.LIMIT)
_FINISH = tl.constexpr(field.FINISH)
_NGRAM = tl.constexpr(field.NGRAM)
_WINDOW = tl.constexpr(field.WINDOW)
_SEED = tl.constexpr(field.SEED)
_TEMPERATURE = tl.constexpr(field.TEMPERATURE)
_FREE = tl.constexpr(field.FREE)
_FREE_TOKENS = tl.constexpr(field.FREE_TOKENS)
_STOPPED = tl.constexpr(field.STOPPED)
_LIMITED = tl.constexpr(field.LIMITED)


@triton.jit
def ban(logits, rows, fields, history, vocabulary, history_width, BLOCK: tl.constexpr):
    """Give -inf to each token that would complete a run which was made within the window."""
    row = tl.program_id(0).to(tl.int64)
    slot = tl.load(rows + row).to(tl.int64)
    state = fields + slot * _COLUMNS
    made = tl.load(state + _MADE)
    size = tl.load(state + _NGRAM)
    window = tl.load(state + _WINDOW)
    first = tl.maximum(0, tl.where(window > 0, made - window, 0))
    past = history + slot * history_width
    if (tl.load(state + _ACTIVE) == 1) & (size > 1) & (made >= size):
        for start in range(first, made - size + 1, BLOCK):
            at = start + tl.arange(0, BLOCK)
            hit = at + size <= made
            for k in range(size - 1):
                seen = tl.load(past + at + k, mask=hit, other=-1)
                hit = hit & (seen == tl.load(past + made - size + 1 + k))
            token = tl.load(past + at + size - 1, mask=hit, other=0)
            for k in tl.static_range(_FREE_TOKENS):
                hit = hit & (token != tl.load(state + _FREE + k))
            tl.store(logits + row * vocabulary + token, float("-inf"), mask=hit)


@triton.jit
def choose(
    logits, rows, fields, history, stop, vocabulary, history_width,
    STOPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The likeliest token of each active row, or a draw; the page's state moves on by it.

    A draw is the argmax of logits / temperature + Gumbel noise (Maddison et al., 2014).
    """
    row = tl.program_id(0).to(tl.int64)
    slot = tl.load(rows + row).to(tl.int64)
    state = fields + slot * _COLUMNS
    if tl.load(state + _ACTIVE) == 1:
        made = tl.load(state + _MADE)
        seed = tl.load(state + _SEED)
        temperature = tl.load(state + _TEMPERATURE).to(tl.float32) / 1000
        best = tl.full([BLOCK], float("-inf"), tl.float32)
        best_at = tl.zeros([BLOCK], tl.int32)
        for start in range(0, vocabulary, BLOCK):
            at = start + tl.arange(0, BLOCK)
            source = logits + row * vocabulary + at
            score = tl.load(source, mask=at < vocabulary, other=float("-inf")).to(tl.float32)
            if temperature > 0:
                uniform = tl.rand(seed, made * vocabulary + at)
                noise = -tl.log(-tl.log(tl.maximum(uniform, 1e-10)))
                score = score / temperature + noise
            better = score > best
            best = tl.where(better, score, best)
            best_at = tl.where(better, at, best_at)
        top = tl.max(best, 0)
        token = tl.min(tl.where(best == top, best_at, vocabulary - 1), 0)
        finish = 0
        for k in tl.static_range(STOPS):
            finish = tl.where(token == tl.load(stop + k), _STOPPED, finish)
        limited = (finish == 0) & (made + 1 >= tl.load(state + _LIMIT))
        finish = tl.where(limited, _LIMITED, finish)
        tl.store(history + slot * history_width + made, token)
        tl.store(state + _TOKEN, token)
        tl.store(state + _POSITION, tl.load(state + _POSITION) + 1)
        tl.store(state + _MADE, made + 1)
        tl.store(state + _FINISH, finish)
        tl.store(state + _ACTIVE, tl.where(finish == 0, 1, 0))
