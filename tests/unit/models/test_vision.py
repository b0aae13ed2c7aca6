"""How a vision transformer is given a picture, and what fuses it with a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.data.examples import Picture
from nlpkit.errors import ConfigError
from nlpkit.models.vision import Vision, load_vision, states_of, vision_of
from nlpkit.run_record import BaseModelIdentity
from tests.picture_files import encoded, make_vit, square

BASE = BaseModelIdentity(source="a", revision=None, weights_sha256="", tokenizer_sha256="")


def vision(**other: Any) -> Vision:
    given: dict[str, Any] = {"base": BASE, "size": 16, "patch": 4, "mean": (0.5,) * 3, "std": (0.25,) * 3}
    return Vision(**{**given, "fusion": "attention", **other})


def test_pixels_are_normalized_and_hidden_cells_are_zero() -> None:
    picture = Picture(content=encoded(square((255, 127, 0), 40)), hidden=frozenset({0, 7}))
    pixels = vision().pixels(picture)
    assert pixels.shape == (3, 16, 16)
    # (1 - 0.5) / 0.25, (127 / 255 - 0.5) / 0.25, (0 - 0.5) / 0.25
    np.testing.assert_allclose(pixels[:, 8, 8], (2.0, -0.00784, -2.0), atol=1e-3)
    assert not pixels[:, :4, :4].any()
    assert not pixels[:, 4:8, 12:].any()
    assert np.count_nonzero(pixels[0]) == 16 * 16 - 2 * 4 * 4


def test_a_base_says_how_it_sees(tmp_path: Path) -> None:
    folder = make_vit(tmp_path / "vit")
    assert vision_of(folder, BASE, size=None, fusion="attention").size == 16
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3]}')
    settings = vision_of(folder, BASE, size=32, fusion="attention")
    assert (settings.size, settings.patches, settings.mean) == (32, 64, (0.1, 0.2, 0.3))
    with pytest.raises(ConfigError, match=r"vision\.size: 8; .* at least 16; hint: vision\.size=16"):
        vision_of(folder, BASE, size=8, fusion="attention")


def test_another_size_than_that_of_the_training_gives_more_patches(tmp_path: Path) -> None:
    import torch

    body = load_vision(make_vit(tmp_path / "vit"))
    assert states_of(body, torch.zeros(2, 3, 16, 16)).shape == (2, 1 + 16, 16)
    assert states_of(body, torch.zeros(2, 3, 32, 32)).shape == (2, 1 + 64, 16)


def test_clip_lends_its_vision_transformer(tmp_path: Path) -> None:
    import torch
    from transformers import CLIPConfig, CLIPModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = CLIPConfig(
        text_config={**sizes, "vocab_size": 20}, vision_config={**sizes, "image_size": 16, "patch_size": 4}
    )
    CLIPModel(config).save_pretrained(tmp_path / "clip")
    assert vision_of(tmp_path / "clip", BASE, size=None, fusion="attention").patches == 16
    body = load_vision(tmp_path / "clip")
    assert states_of(body, torch.zeros(1, 3, 16, 16)).shape == (1, 17, 16)
    assert body.config.hidden_size == 16


@pytest.mark.parametrize("fusion", ["attention", "concatenation"])
def test_posts_of_a_batch_do_not_see_each_others_pictures(fusion: Any) -> None:
    import torch

    from nlpkit.models.picture_classifier import FusedParts

    torch.manual_seed(0)
    parts = FusedParts(fusion, text=8, picture=6, heads=2).eval()
    words, mask = torch.randn(3, 5, 8), torch.ones(3, 5, dtype=torch.long)
    seen = torch.randn(2, 4, 6)
    with torch.no_grad():
        fused = parts(words, mask, seen, torch.tensor([1, -1, 0]))
        first = parts(words[:1], mask[:1], seen[1:], torch.tensor([0]))
        bare = parts(words[1:2], mask[1:2], None, torch.tensor([-1]))
        other = parts(words[:1], mask[:1], seen[:1], torch.tensor([0]))
    torch.testing.assert_close(fused[:1], first)
    torch.testing.assert_close(fused[1:2], bare)
    assert not torch.allclose(first, other)
