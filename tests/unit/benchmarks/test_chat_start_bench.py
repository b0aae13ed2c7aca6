"""The benchmark of the chat out of the box: its table, by hand."""

from __future__ import annotations

from benchmarks.chat_start import Reply, Start, summary
from benchmarks.chat_turns import GENERATE


def test_d11_the_table_compares_all_tokens_after_the_first_with_generate() -> None:
    replies = [
        # 20 tokens in 2 seconds, then 40 in 2: 60 in 4
        Reply(method="onnx-int8", prompt=0, first_seconds=0.5, tokens=21, seconds=2.5),
        Reply(method="onnx-int8", prompt=1, first_seconds=0.7, tokens=41, seconds=2.7),
        Reply(method=GENERATE, prompt=0, first_seconds=1.0, tokens=11, seconds=5.0),
        Reply(method=GENERATE, prompt=1, first_seconds=3.0, tokens=1, seconds=3.0),
    ]
    lines = summary([Start(method="no export yet", seconds=9.04)], replies)
    assert "| no export yet | 9.0 |" in lines
    assert "| onnx-int8 | 2 | 0.60 | 15.0 | 6.0 |" in lines
    assert f"| {GENERATE} | 2 | 2.00 | 2.5 | 1.0 |" in lines
