from shared.ocr_backend import RGB, PageBatch, PageInput


def page(key: str) -> PageInput:
    return PageInput(key, RGB, b"")


def test_a_batch_is_taken_in_order_and_then_closed():
    batch = PageBatch([page("a"), page("b"), page("c")])
    assert [p.key for p in batch.take(2)] == ["a", "b"]
    assert not batch.closed
    assert [p.key for p in batch] == ["c"]
    assert batch.closed
    assert batch.take(5, 0) == []
