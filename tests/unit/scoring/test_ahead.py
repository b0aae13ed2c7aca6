from __future__ import annotations

import contextvars
import threading
from contextlib import closing

import pytest

from nlpkit.scoring.ahead import ahead, behind


def test_the_next_item_is_made_while_the_caller_works_and_no_more_than_that_one():
    made: list[int] = []
    second = threading.Event()

    def numbers():
        for n in range(5):
            made.append(n)
            if n == 1:
                second.set()
            yield n

    with closing(ahead(numbers())) as items:
        assert next(items) == 0
        assert second.wait(10)  # it is made without being asked for
        assert made == [0, 1]
        assert next(items) == 1
    assert made in ([0, 1], [0, 1, 2])


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_all_items_come_in_order(count):
    assert list(ahead(range(count))) == list(range(count))


def test_an_error_comes_where_the_item_would_have_come():
    def broken():
        yield 1
        yield 2
        raise ValueError("third")

    items = ahead(broken())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="third"):
        next(items)


def test_the_first_item_is_made_by_the_caller_and_the_others_by_one_thread():
    threads = list(ahead(threading.current_thread().name for _ in range(4)))
    assert threads[0] == threading.current_thread().name
    assert len(set(threads[1:])) == 1
    assert threads[1] != threads[0]
    assert not [one for one in threading.enumerate() if one.name == threads[1]]


def put_all(act, items):
    with behind(act) as put:
        for item in items:
            put(item)


def test_what_is_put_is_done_in_order_and_before_the_block_is_left():
    done: list[int] = []
    put_all(done.append, range(20))
    assert done == list(range(20))


def test_one_item_is_done_while_the_next_is_made_and_no_second_waits():
    going, gone = threading.Event(), threading.Event()
    done: list[int] = []

    def slow(item: int) -> None:
        going.wait(10)
        done.append(item)
        gone.set()

    with behind(slow) as put:
        put(0)  # returns though nothing is done
        assert done == []
        going.set()
        put(1)
        assert gone.is_set()  # the second call waits for the first item


def test_an_error_in_the_thread_is_raised_and_ends_the_work():
    done: list[int] = []

    def fails_at_two(item: int) -> None:
        if item == 2:
            raise OSError("full")
        done.append(item)

    with pytest.raises(OSError, match="full"):
        put_all(fails_at_two, range(10))
    assert done == [0, 1]
    with pytest.raises(OSError, match="full"):
        put_all(fails_at_two, [2])  # the last one: raised when the block is left


def test_what_was_begun_is_ended_before_an_error_of_the_caller_goes_on():
    done: list[int] = []

    def interrupted():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_all(done.append, interrupted())
    assert done == [1]


def test_what_is_done_behind_sees_the_caller_s_context():
    page = contextvars.ContextVar("page", default="none")
    page.set("mine")
    seen: list[str] = []
    put_all(lambda _: seen.append(page.get()), [0])
    assert seen == ["mine"]
