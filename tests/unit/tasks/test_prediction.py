from nlpkit.tasks.prediction import Prediction


def test_a_notebook_shows_the_columns_with_markup_escaped() -> None:
    shown = Prediction(label="<b>good</b>", score=0.5, probabilities={"<b>good</b>": 0.75})._repr_html_()
    assert "<tr><th>label</th><td>&lt;b&gt;good&lt;/b&gt;</td></tr>" in shown
    assert "<tr><th>p_&lt;b&gt;good&lt;/b&gt;</th><td>0.750</td></tr>" in shown
    assert "<b>" not in shown
    assert "caption" not in shown


def test_a_notebook_shows_that_a_text_was_read_in_part() -> None:
    shown = Prediction(value=1.0, windows=64, partial=True)._repr_html_()
    assert "<caption>read in 64 windows, not all of it</caption>" in shown
