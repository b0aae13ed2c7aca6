from nlpkit.training.sampler import RowOrder


def order(epoch: int, grouped: bool = True, seed: int = 1, rows: int = 1000) -> list[int]:
    lengths = [(row * 7919) % 97 for row in range(rows)]
    found = RowOrder(lengths, batch_size=10, grouped=grouped, seed=seed)
    found.set_epoch(epoch)
    return list(found)


def test_every_row_comes_once_an_epoch() -> None:
    for grouped in (True, False):
        assert sorted(order(0, grouped, rows=1003)) == list(range(1003))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    assert order(3) == order(3)
    assert order(3) != order(4)
    assert order(3) != order(3, seed=2)


def test_rows_of_like_length_share_a_batch() -> None:
    def padding(rows: list[int]) -> int:
        lengths = [(row * 7919) % 97 for row in rows]
        return sum(
            10 * max(lengths[at : at + 10]) - sum(lengths[at : at + 10]) for at in range(0, len(rows), 10)
        )

    assert padding(order(0)) < padding(order(0, grouped=False)) / 5
