"""Reading the next chunk and writing the last one while the present one is computed."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_END = object()


def ahead(items: Iterable[T]) -> Generator[T]:
    """Yield the same items; the next, and never more than that one, is made in a thread while the caller
    works.

    What goes wrong while an item is made is raised where the item would have come. Close it, if not read to
    the end.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        # The first is made by the caller: it may take long, since all that is done is passed over first, and
        # Ctrl-C must end it.
        item = next(iterator, _END)
        while item is not _END:
            coming = thread.submit(next, iterator, _END)
            yield item  # type: ignore[misc]  # what is not the end is an item
            item = coming.result()


@contextmanager
def behind(act: Callable[[T], None]) -> Iterator[Callable[[T], None]]:
    """Yield a function that has `act` called with an item in a thread, in order, and returns once the item
    before is done.

    What goes wrong in `act` is raised by the next call, or at the end; no item is begun after it. However the
    block is left, the item that was begun is ended first.
    """
    context = contextvars.copy_context()  # a progress bar may be found through it
    with ThreadPoolExecutor(1, thread_name_prefix="behind") as thread:
        last: Future[None] | None = None

        def put(item: T) -> None:
            nonlocal last
            if last:
                last.result()
            last = thread.submit(context.run, act, item)

        yield put
        if last:
            last.result()
