from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from nlpkit.errors import NlpkitError
from nlpkit.generation.cache_pool import CachePool
from nlpkit.generation.capacity import Capacity
from nlpkit.generation.completion import OverloadedError
from nlpkit.generation.detokenizer import Detokenizer
from nlpkit.generation.local_completion import GenerationRequest, LocalCompletion
from nlpkit.generation.sampling import Sampler, Sampling
from nlpkit.generation.scheduler import CHUNK, Scheduler

END = 0


class Letters:
    """A tokenizer whose tokens are letters."""

    def decode(self, ids: Sequence[int], **_: Any) -> str:
        return "".join(map(chr, ids))


class Counting:
    """After a token comes the next letter, and the end after `z`. With a `gate`, each token waits for it."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.reads: list[int] = []
        self.gate: threading.Semaphore | None = None
        self.cuts = 0
        self.broken: Callable[[list[int]], bool] = lambda cache: False

    def begin(self) -> None:
        pass

    def new_cache(self) -> list[int]:
        return []

    def read(self, cache: list[int], ids: Sequence[int]) -> np.ndarray:
        if self.gate:
            self.gate.acquire()
        cache.extend(ids)
        self.reads.append(len(ids))
        if self.broken(cache):
            raise NlpkitError("broken")
        logits = np.zeros(128, dtype=np.float32)
        logits[END if cache[-1] == ord("z") else cache[-1] + 1] = 1
        return logits

    def step(self, caches: Sequence[list[int]], ids: Sequence[int]) -> list[np.ndarray]:
        self.rows.append(len(ids))
        return [self.read(cache, [token]) for cache, token in zip(caches, ids, strict=True)]

    def truncate(self, cache: list[int], length: int, keep: int) -> bool:
        assert len(cache) == length
        self.cuts += 1
        del cache[keep:]
        return True


def work(asked: str, *, limit: int = 50, session: str = "") -> GenerationRequest:
    return GenerationRequest(
        prompt_ids=[ord(one) for one in asked],
        sampler=Sampler(Sampling(temperature=0, repetition_penalty=1.0)),
        detokenizer=Detokenizer(Letters(), ()),
        stops=frozenset({END}),
        max_new_tokens=limit,
        session=session,
    )


@pytest.fixture
def decoder() -> Counting:
    return Counting()


def ask(scheduler: Scheduler, asked: str, **settings: Any) -> LocalCompletion:
    one = work(asked, **settings)
    scheduler.submit(one)
    return LocalCompletion(one, None)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_an_answer_comes_in_pieces_and_says_what_it_cost(decoder: Counting) -> None:
    answer = ask(Scheduler(decoder, Capacity()), "abv")
    assert (answer.usage, answer.finish) == (None, None)
    assert list(answer) == ["w", "x", "y", "z"]
    assert list(answer) == []
    assert answer.finish == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.cached_tokens, answer.usage.new_tokens) == (3, 0, 5)
    assert 0 <= answer.usage.first_token_seconds <= answer.usage.seconds


def test_an_answer_is_no_longer_than_it_may_be(decoder: Counting) -> None:
    answer = ask(Scheduler(decoder, Capacity()), "a", limit=3)
    assert "".join(answer) == "bcd"
    assert answer.finish == "length"


def test_a_stop_ends_the_computing_and_not_only_the_reading(decoder: Counting) -> None:
    decoder.gate = threading.Semaphore(0)
    scheduler = Scheduler(decoder, Capacity())
    answer = ask(scheduler, "a")
    decoder.gate.release(3)
    assert [next(answer), next(answer), next(answer)] == ["b", "c", "d"]
    answer.stop()
    decoder.gate.release(100)
    rest = list(answer)
    # At most the token that was being computed
    assert rest in ([], ["e"])
    assert answer.finish == "stopped"
    assert sum(decoder.reads) <= 4
    assert answer.usage is not None
    assert answer.usage.new_tokens == 3 + len(rest)
    assert scheduler.load == (0, 0)


def test_c4_a_choice_that_fails_ends_only_its_own_reply(decoder: Counting) -> None:
    class Refusing:
        def allowed(self, vocabulary: int) -> np.ndarray:
            raise NlpkitError("refused")

    scheduler = Scheduler(decoder, Capacity())
    failing = work("a")  # far from its end when it fails
    sampler: Any = failing.sampler
    decoder.gate = threading.Semaphore(0)
    scheduler.submit(failing)
    refused = LocalCompletion(failing, None)  # held to the end: a reply that nobody holds is stopped
    other = ask(scheduler, "a")
    decoder.gate.release(4)
    assert next(refused) == "b"
    sampler._constraint = Refusing()
    decoder.gate.release(100)
    assert "".join(other) == "bcdefghijklmnopqrstuvwxyz"
    with pytest.raises(NlpkitError, match="refused"):
        list(refused)
    until(lambda: scheduler.load == (0, 0))


def test_an_answer_that_nobody_holds_any_more_is_stopped(decoder: Counting) -> None:
    decoder.gate = threading.Semaphore(0)
    scheduler = Scheduler(decoder, Capacity())
    answer = ask(scheduler, "a")
    decoder.gate.release(1)
    next(answer)
    del answer
    decoder.gate.release(100)
    until(lambda: scheduler.load == (0, 0))
    assert sum(decoder.reads) <= 3


def test_answers_are_made_in_turn_and_a_long_prompt_holds_nobody_up(decoder: Counting) -> None:
    decoder.gate = threading.Semaphore(0)
    scheduler = Scheduler(decoder, Capacity(active=3))
    long = ask(scheduler, "a" * (5 * CHUNK))
    short = ask(scheduler, "p", limit=5)
    other = ask(scheduler, "m", limit=4)
    decoder.gate.release(1000)
    assert ("".join(short), "".join(other), "".join(long)) == ("qrstu", "nopq", "bcdefghijklmnopqrstuvwxyz")
    chunks = [place for place, size in enumerate(decoder.reads) if size == CHUNK]
    # Between the long prompt's first chunk and its last the short ones were answered
    assert chunks[-1] - chunks[0] > 8
    assert max(decoder.rows) >= 2


def test_a_reader_who_does_not_read_blocks_nobody(decoder: Counting) -> None:
    scheduler = Scheduler(decoder, Capacity(active=1))
    slow = ask(scheduler, "a")
    assert "".join(ask(scheduler, "w")) == "xyz"
    assert "".join(slow) == "bcdefghijklmnopqrstuvwxyz"


def test_a_conversation_that_asks_much_does_not_keep_the_others_waiting(decoder: Counting) -> None:
    decoder.gate = threading.Semaphore(0)
    scheduler = Scheduler(decoder, Capacity(active=2))
    greedy = [ask(scheduler, "w", session="greedy") for _ in range(6)]
    modest = ask(scheduler, "x", session="modest")
    decoder.gate.release(10_000)
    assert "".join(modest) == "yz"
    assert ["".join(one) for one in greedy] == ["xyz"] * 6
    assert modest.usage is not None
    assert modest.usage.seconds <= max(one.usage.seconds for one in greedy[2:] if one.usage)


def test_more_than_may_wait_are_refused_at_once_and_places_come_free_again(decoder: Counting) -> None:
    decoder.gate = threading.Semaphore(0)
    scheduler = Scheduler(decoder, Capacity(active=1, waiting=2))
    answers = [ask(scheduler, "x") for _ in range(3)]
    with pytest.raises(OverloadedError, match="the most that the chat model accepts"):
        ask(scheduler, "x")
    answers[1].stop()
    decoder.gate.release(1000)
    assert ["".join(one) for one in answers] == ["yz", "", "yz"]
    assert [one.finish for one in answers] == ["stop", "stopped", "stop"]
    assert "".join(ask(scheduler, "x")) == "yz"


def test_what_goes_wrong_with_one_answer_is_told_to_its_reader_and_the_others_go_on(
    decoder: Counting,
) -> None:
    scheduler = Scheduler(decoder, Capacity(active=1))
    decoder.broken = lambda cache: ord("q") in cache
    wrong, right = ask(scheduler, "o"), ask(scheduler, "v")
    assert [next(wrong), next(wrong)] == ["p", "q"]
    with pytest.raises(NlpkitError, match="broken"):
        next(wrong)
    assert list(wrong) == []
    assert "".join(right) == "wxyz"


def test_hundreds_of_answers_from_many_threads_are_each_their_own(decoder: Counting) -> None:
    scheduler = Scheduler(decoder, Capacity(active=4, waiting=1000))
    found: dict[int, str] = {}

    def client(number: int) -> None:
        for turn in range(10):
            letter = chr(ord("a") + (number + turn) % 26)
            said = "".join(ask(scheduler, f"{number}{letter}", session=str(number)))
            assert said == "bcdefghijklmnopqrstuvwxyz"[ord(letter) - ord("a") :]
            found[number * 10 + turn] = said

    threads = [threading.Thread(target=client, args=(number,)) for number in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 200
    assert scheduler.load == (0, 0)
    assert len(scheduler.kept) <= scheduler.capacity.kept


def test_a_closed_scheduler_ends_what_it_makes_and_takes_no_more(decoder: Counting) -> None:
    decoder.gate = threading.Semaphore(0)
    scheduler = Scheduler(decoder, Capacity(active=1))
    answers = [ask(scheduler, "a"), ask(scheduler, "a")]
    decoder.gate.release(1)
    assert next(answers[0]) == "b"
    decoder.gate.release(1000)
    scheduler.close()
    assert all(one.finish == "stopped" or "".join(one) for one in answers)
    with pytest.raises(OverloadedError):
        ask(scheduler, "a")


def test_a_thread_without_work_ends_and_another_takes_over(
    decoder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nlpkit.generation.scheduler.IDLE", 0.01)
    scheduler = Scheduler(decoder, Capacity())
    assert "".join(ask(scheduler, "x")) == "yz"
    until(lambda: scheduler._thread is None)
    assert "".join(ask(scheduler, "y")) == "z"


def test_the_next_turn_reads_only_what_is_new(decoder: Counting) -> None:
    scheduler = Scheduler(decoder, Capacity())
    assert "".join(ask(scheduler, "abcx", session="one")) == "yz"
    answer = ask(scheduler, "abcxyz!w", session="one")
    assert "".join(answer) == "xyz"
    assert answer.usage is not None
    # a b c x y z were read; the end token was not
    assert answer.usage.cached_tokens == 6
    other = ask(scheduler, "abcxyz!w", session="two")
    list(other)
    assert other.usage is not None
    assert other.usage.cached_tokens == 0
    edited = ask(scheduler, "abdx", session="one")
    assert "".join(edited) == "yz"
    assert edited.usage is not None
    assert edited.usage.cached_tokens == 2
    scheduler.forget("one")
    again = ask(scheduler, "abdx", session="one")
    list(again)
    assert again.usage is not None
    assert again.usage.cached_tokens == 0


def test_a_whole_prompt_that_was_read_before_is_read_again_from_its_last_token(decoder: Counting) -> None:
    scheduler = Scheduler(decoder, Capacity())
    for expected in (0, 3):
        answer = ask(scheduler, "abcx", session="one")
        assert "".join(answer) == "yz"
        assert answer.usage is not None
        assert answer.usage.cached_tokens == expected


def test_questions_without_a_session_go_on_where_one_like_them_ended(decoder: Counting) -> None:
    kept = CachePool(decoder, most=10, tokens=100)
    kept.keep("", [1, 2, 3, 4], [1, 2, 3, 4])
    kept.keep("", [1, 2, 9, 9, 9, 9], [1, 2, 9, 9, 9, 9])
    kept.keep("mine", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert kept.take("", [1, 2, 3, 4, 5, 6]) == ([1, 2, 3, 4], 4)
    # only 2 of 6 are alike: another conversation, whose cache stays whole
    assert kept.take("", [1, 2, 3, 4, 5, 6]) == ([], 0)
    assert len(kept) == 2


def test_what_is_kept_is_bounded_and_the_oldest_goes_first(decoder: Counting) -> None:
    kept = CachePool(decoder, most=3, tokens=10)
    for number in range(4):
        kept.keep(str(number), [number, 1], [number, 1])
    assert (len(kept), kept.tokens) == (3, 6)
    kept.keep("long", [5] * 8, [5] * 8)
    assert (len(kept), kept.tokens) == (2, 10)
    kept.keep("longer", [5] * 11, [5] * 11)
    assert (len(kept), kept.tokens) == (2, 10)
    assert kept.take("3", [3, 1, 4]) == ([3, 1], 2)
    assert kept.take("3", [3, 1, 4]) == ([], 0)


def test_a_cache_that_cannot_be_cut_is_not_used(decoder: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = CachePool(decoder, most=3, tokens=10)
    kept.keep("a", [1, 2, 3], [1, 2, 3])
    monkeypatch.setattr(decoder, "truncate", lambda cache, length, keep: False)
    assert kept.take("a", [1, 2, 4]) == ([], 0)
