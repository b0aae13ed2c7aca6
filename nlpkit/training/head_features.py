"""What a classifier's last layer reads of a text: contrasted while the rest learns, and fitted in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from nlpkit.models.batching import batches
from nlpkit.training.classification_objective import collator
from nlpkit.training.objective import Batch, Objective
from nlpkit.training.rows import TrainingRow

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

TEMPERATURE = 0.1
"""Divides cosines in the contrastive loss: that of Khosla et al. 2020."""
STRENGTH = 10.0
"""scikit-learn's C of the head that is fitted."""
BUDGET = 2_048
"""Tokens a batch while features are read."""


@dataclass(frozen=True, kw_only=True)
class HeadFeatures:
    """The last linear layer of a classifier with its adapter on, and what it was given."""

    layer: Any
    given: list[torch.Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, model: Any) -> HeadFeatures:
        """Find the head of a `MeanPooled` base with an adapter on it."""
        return cls(layer=model.get_base_model().classifier.modules_to_save["default"])

    @contextmanager
    def kept(self, model: Any = None, batch: Batch | None = None) -> Iterator[None]:
        """Keep what the layer is given in a forward pass."""
        self.given.clear()
        handle = self.layer.register_forward_pre_hook(lambda module, inputs: self.given.append(inputs[0]))
        try:
            yield
        finally:
            handle.remove()

    def loss(self, outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the supervised contrastive loss (Khosla et al. 2020, arXiv:2004.11362, equation 2).

        Texts of one label are drawn together, and those of others pushed apart.
        """
        import torch
        from torch.nn import functional

        units = self.given[-1].float()
        itself = torch.eye(len(units), dtype=torch.bool, device=units.device)
        scores = (units @ units.T / TEMPERATURE).masked_fill(itself, -1e9)
        alike = (labels[:, :1] == labels[:, :1].T) & ~itself
        shares = functional.log_softmax(scores, dim=1)
        each = -(shares * alike).sum(1) / alike.sum(1).clamp(min=1)  # 0 for a row without its like
        count = len(labels) if num_items_in_batch is None else num_items_in_batch / labels.shape[1]
        return each.sum() / count

    def objective(self, rows: Sequence[TrainingRow], pad_id: int) -> Objective:
        """Return the contrastive objective of rows, which are few: all are looked at in the end too."""
        held = [asdict(row) for row in rows]
        return Objective(
            train=held, validation=held, lengths=[len(row.input_ids) for row in rows],
            collate=collator(pad_id), loss=self.loss, metric="loss", greater_is_better=False,
            metrics=lambda prediction: {}, narrowed=self.kept,
        )  # fmt: skip

    def read(self, model: Any, rows: Sequence[TrainingRow], pad_id: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return (rows, size) what the layer is given, and (rows, labels) the logits, without dropout."""
        import numpy as np
        import torch

        collate, device = collator(pad_id), next(model.parameters()).device
        features = np.empty((len(rows), self.layer.in_features))
        logits = np.empty((len(rows), self.layer.out_features))
        model.eval()
        for numbers in batches([len(row.input_ids) for row in rows], BUDGET):
            batch = collate([asdict(rows[number]) for number in numbers])
            with torch.inference_mode(), self.kept():
                outputs = model(
                    input_ids=batch["input_ids"].to(device), attention_mask=batch["attention_mask"].to(device)
                )
            features[numbers] = self.given[-1].float().cpu().numpy()
            logits[numbers] = outputs.logits.float().cpu().numpy()
        return features, logits

    def fit(self, model: Any, rows: Sequence[TrainingRow], pad_id: int) -> None:
        """Set the layer's weights to a logistic regression on its features: a linear probe."""
        import torch

        features, _ = self.read(model, rows, pad_id)
        weight, bias = linear_probe(features, [int(row.target[0]) for row in rows], self.layer.out_features)
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor(weight))
            self.layer.bias.copy_(torch.tensor(bias))


def linear_probe(
    features: NDArray[Any], labels: Sequence[int], count: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return weights, (labels, size), and biases of a logistic regression on features of unit length."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=STRENGTH, max_iter=1000).fit(features, labels)
    weight, bias = np.zeros((count, features.shape[1])), np.full(count, -1e3)
    if len(model.classes_) == 2:  # one row, of the second label against the first
        weight[model.classes_] = np.concatenate([-model.coef_, model.coef_]) / 2
        bias[model.classes_] = np.concatenate([-model.intercept_, model.intercept_]) / 2
    else:
        weight[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
    return weight, bias
