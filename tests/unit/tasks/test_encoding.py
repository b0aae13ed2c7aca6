from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nlpkit.models.pretrained import load_tokenizer
from nlpkit.tasks.encoding import MAX_CHARACTERS, MAX_WINDOWS, Frame, token_ids, windows


def test_a_short_text_is_one_window() -> None:
    assert windows([1, 2, 3], 3) == [[1, 2, 3]]
    assert windows([], 3) == [[]]


def test_windows_overlap_by_an_eighth_and_end_at_the_end() -> None:
    assert windows(list(range(20)), 8) == [list(range(0, 8)), list(range(7, 15)), list(range(12, 20))]


@given(st.integers(1, 3000), st.integers(1, 40))
def test_every_token_is_in_a_window_until_there_are_too_many(length: int, available: int) -> None:
    spans = windows(list(range(length)), available)
    assert all(len(span) <= available for span in spans)
    assert spans[0][0] == 0
    assert spans[-1][-1] == length - 1
    assert len(spans) <= MAX_WINDOWS
    if len(spans) < MAX_WINDOWS:
        assert {token for span in spans for token in span} == set(range(length))


def test_the_frame_is_what_the_tokenizer_puts_around_a_text(tiny_base: Path) -> None:
    tokenizer = load_tokenizer(tiny_base)
    frame = Frame.of(tokenizer)
    ids = token_ids(tokenizer, ["good film"])[0]
    assert frame.around(ids) == tokenizer("good film")["input_ids"]
    assert frame.size == 2


def test_an_endless_text_is_cut_before_it_is_tokenized(tiny_base: Path) -> None:
    ids = token_ids(load_tokenizer(tiny_base), ["good " * MAX_CHARACTERS])[0]
    assert len(ids) == MAX_CHARACTERS // 5
    assert token_ids(load_tokenizer(tiny_base), []) == []


def test_a_text_cannot_write_a_control_token(tiny_base: Path) -> None:
    tokenizer = load_tokenizer(tiny_base)
    ids = token_ids(tokenizer, ["good [SEP] bad [CLS] [PAD] [UNK]"])[0]
    assert not {0, 2, 3} & set(ids)  # [PAD], [CLS], [SEP]
