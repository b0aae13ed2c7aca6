"""Updates become one: by hand-worked small matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nlpkit.federated.aggregation import Update, aggregate, clip_scales, low_rank, norm, problem_of
from nlpkit.federated.settings import Aggregation

A, B, HEAD = "layer.lora_A.weight", "layer.lora_B.weight", "head.weight"


def weights(a: Any, b: Any, head: Any = (0.0,)) -> dict[str, Any]:
    return {name: np.array(value, dtype=np.float32) for name, value in {A: a, B: b, HEAD: head}.items()}


START = weights([[1, 0]], [[0], [0]])


def product(given: Any) -> Any:
    return given[B] @ given[A]


def mixed(*sites: Any, rows: tuple[int, ...] = (), **how: Any) -> Any:
    updates = {
        f"site-{number}": Update(rows=(rows or [1] * len(sites))[number], weights=site)
        for number, site in enumerate(sites)
    }
    return aggregate(updates, START, Aggregation(**{"clip": None, **how}))


def test_the_mean_of_products_is_not_the_product_of_means() -> None:
    # Products [[2, 0], [0, 0]] and [[0, 0], [0, 2]]: their mean is [[1, 0], [0, 1]], which no rank of 1 holds
    first, second = weights([[1, 0]], [[2], [0]]), weights([[0, 1]], [[0], [2]])
    by_products = mixed(first, second)
    assert by_products.lost == pytest.approx(0.5)
    # The means of the matrices apart, [[.5, .5]] and [[1], [1]], have a product that neither site has
    by_matrices = mixed(first, second, average="matrices")
    np.testing.assert_allclose(product(by_matrices.weights), [[0.5, 0.5], [0.5, 0.5]])
    assert by_matrices.lost == 0
    # Signs of the factors, which a site may flip alike, change only the matrices apart
    flipped = weights([[-1, 0]], [[-2], [0]])
    np.testing.assert_allclose(product(mixed(first, flipped).weights), [[2, 0], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(product(mixed(first, flipped, average="matrices").weights), 0)


def test_sites_count_by_their_rows() -> None:
    first, second = weights([[1, 0]], [[2], [0]], [4.0]), weights([[1, 0]], [[0], [0]], [0.0])
    result = mixed(first, second, rows=(3, 1))
    np.testing.assert_allclose(product(result.weights), [[1.5, 0], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(result.weights[HEAD], [3.0])
    # A median counts each site once
    third = weights([[1, 0]], [[1], [0]], [1.0])
    middle = mixed(first, second, third, rows=(9, 1, 1), combine="median")
    np.testing.assert_allclose(product(middle.weights), [[1, 0], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(middle.weights[HEAD], [1.0])


def test_a_trimmed_mean_leaves_out_the_ends() -> None:
    sites = [weights([[1, 0]], [[0], [0]], [head]) for head in (-100.0, 1.0, 2.0, 3.0, 500.0)]
    np.testing.assert_allclose(mixed(*sites, combine="trimmed_mean", trim=0.2).weights[HEAD], [2.0])
    # Of two sites nothing would be left: their median
    np.testing.assert_allclose(mixed(*sites[1:3], combine="trimmed_mean").weights[HEAD], [1.5])


def test_a_long_update_is_clipped_to_a_multiple_of_the_median_norm() -> None:
    # Norms 2, 2 and 200: clipped to 2 * 2, that is to 0.02 of it
    sites = [weights([[1, 0]], [[0], [0]], [head]) for head in (2.0, 2.0, -200.0)]
    result = mixed(*sites, clip=2.0)
    assert list(result.norms.values()) == pytest.approx([2, 2, 200])
    assert list(result.scales.values()) == pytest.approx([1, 1, 0.02])
    np.testing.assert_allclose(result.weights[HEAD], [0.0], atol=1e-6)
    # The same for a LoRA pair, whose product moves by 2, 2 and 200
    pairs = [weights([[1, 0]], [[value], [0]]) for value in (2, 2, 200)]
    np.testing.assert_allclose(product(mixed(*pairs, clip=2.0).weights), [[8 / 3, 0], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(
        product(mixed(*pairs, clip=2.0, combine="median").weights), [[2, 0], [0, 0]], rtol=1e-6
    )


def test_clip_scales() -> None:
    assert clip_scales([1.0, 100.0], 3.0) == pytest.approx([1, 0.03])  # the shorter of two bounds the other
    assert clip_scales([1.0, 100.0], None) == [1.0, 1.0]
    assert clip_scales([0.0, 0.0], 3.0) == [1.0, 1.0]


def test_the_norm_is_that_of_the_product() -> None:
    # From [[0, 0], [0, 0]] to [[3, 0], [0, 0]], and 4 in the head: 5; A and B moved otherwise too
    assert norm(weights([[0.5, 0]], [[6], [0]], [4.0]), START) == pytest.approx(5)
    assert norm(weights([[7, 7]], [[0], [0]]), START) == 0


def test_low_rank_keeps_the_largest_direction_and_no_dead_one() -> None:
    a, b, square, kept = low_rank(np.diag([3.0, 1.0]), np.eye(2), 1, 2.0)
    np.testing.assert_allclose(b @ a, [[3, 0], [0, 0]], atol=1e-12)
    assert (square, kept) == pytest.approx((10, 9))
    np.testing.assert_allclose(np.linalg.norm(a, axis=1), [2])
    # Nothing learned yet: A still has rows of that length, from which B's gradient comes
    a, b, square, _ = low_rank(np.zeros((3, 4)), np.ones((4, 5)), 2, 1.5)
    assert not b.any()
    assert square == 0
    np.testing.assert_allclose(a @ a.T, 1.5**2 * np.eye(2), atol=1e-12)


def test_what_no_update_can_be() -> None:
    assert problem_of(START, START) == ""
    assert problem_of(weights([[np.nan, 0]], [[0], [0]]), START) == f"{A} holds nan or infinity"
    assert problem_of(weights([[np.inf, 0]], [[0], [0]]), START) == f"{A} holds nan or infinity"
    assert "shape [1, 3]; expected float32 of shape [1, 2]" in problem_of(
        weights([[1, 0, 0]], [[0], [0]]), START
    )
    assert (
        problem_of({A: START[A], B: START[B]}, START)
        == "1 arrays are missing or unknown, such as head.weight"
    )
    assert "float64" in problem_of({**START, HEAD: np.zeros(1)}, START)
