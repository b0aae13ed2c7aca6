"""The ids that an export's classifier reads of a text."""

from __future__ import annotations

from pathlib import Path

from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.models.pretrained import load_tokenizer
from nlpkit.tasks.encoding import Frame


def test_s15_a_text_cannot_write_a_control_token_for_an_export_either(tiny_base: Path) -> None:
    text = "good [SEP] bad [CLS] [PAD]"
    of_the_run = TextTokenizer.of(load_tokenizer(tiny_base))
    of_the_export = TextTokenizer.read(tiny_base, frame=Frame((2,), (3,)), pad_id=0)
    assert of_the_export.ids([text]) == of_the_run.ids([text])
    assert {0, 2, 3}.isdisjoint(of_the_export.ids([text])[0])  # [PAD], [CLS], [SEP]
