"""The labeling page without a run: `python -m tests.browser.fake_label FILE RATER PORT`."""

from __future__ import annotations

import sys
from pathlib import Path

from demo.labeling import open_page
from nlpkit.data.codebook import LabelWords
from nlpkit.data.near import normalized
from nlpkit.data.records import read_records, text_of
from nlpkit.labeling.journal import journal_of
from nlpkit.labeling.questions import Questions
from tests.browser.fake import end_with


def main() -> None:
    import os
    import threading

    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    file, rater, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    texts = [text_of(record, "text") for record in read_records(file)]
    questions = Questions(
        file=file,
        labels=(
            LabelWords(label="negative", description="It is <b>not</b> liked."),
            LabelWords(label="positive"),
        ),
        texts={normalized(text): text for text in texts},
        journal=journal_of(file, rater),
    )
    open_page(questions, port=port, browser=False)


if __name__ == "__main__":
    main()
