"""Which reading of a page the result shows."""

from dataclasses import replace

from shared.followups import Choice
from stages.merge.choosing import Chooser, taken_first
from tests.fakes.merge_jobs import block, result

PROSE = "The quick brown fox jumps over the lazy dog, again and again."
LOOP = "and the the the the the the the the the"


def reading(engine, text, page=1, job="j"):
    made = result(page, [block("text", 0, text)] if text else [], engine)
    return replace(made, text=text, job=job)


def chosen(*readings, choices=()):
    found = Chooser({choice.page: choice for choice in choices}).choose(1, readings)
    return (found.result.engine, found.by)


def test_the_first_in_order_is_taken():
    assert chosen(reading("a", PROSE), reading("b", PROSE + " More.")) == ("a", "order")


def test_a_reading_without_text_gives_way():
    assert chosen(reading("a", ""), reading("b", PROSE)) == ("b", "text")
    assert chosen(reading("a", ""), reading("b", "")) == ("a", "order")


def test_two_of_three_outvote_a_first_that_agrees_with_nobody():
    almost = PROSE.replace("quick", "qu1ck")
    assert chosen(reading("a", LOOP), reading("b", PROSE), reading("c", almost)) == (
        "b",
        "majority",
    )
    assert chosen(reading("a", LOOP), reading("b", PROSE)) == ("a", "order")
    assert chosen(reading("a", LOOP), reading("b", PROSE), reading("c", "other")) == ("a", "order")
    assert chosen(reading("a", almost), reading("b", PROSE), reading("c", PROSE)) == ("a", "order")


def test_a_person_has_the_last_word_also_with_another_job():
    one, two = reading("a", PROSE), reading("b", "", job="other")
    assert chosen(one, two, choices=[Choice(1, "other", "b")]) == ("b", "person")
    assert chosen(one, choices=[Choice(1, "gone", "b")]) == ("a", "order")


def test_pages_of_other_jobs_stand_before_their_own():
    own = [reading("a", PROSE, page) for page in (1, 2, 4)]
    choices = {2: Choice(2, "other", "b"), 4: Choice(4, "j", "a"), 9: Choice(9, "other", "b")}
    merged = taken_first("j", lambda: iter(own), choices, lambda page: reading("b", "x", page))
    assert [(r.page, r.engine) for r in merged()] == [
        (1, "a"),
        (2, "b"),
        (2, "a"),
        (4, "a"),
        (9, "b"),
    ]
