"""Settings of the pretrained model, of training, and of measuring a chat model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from nlpkit.settings import Settings

Tracker: TypeAlias = Literal[
    "tensorboard", "trackio", "wandb", "mlflow", "azure_ml", "comet_ml", "neptune", "codecarbon", "clearml",
    "dagshub", "flyte", "dvclive", "swanlab", "kubeflow",
]  # fmt: skip
"""What transformers' Trainer can report to; the tracker's own package must be installed."""


class Base(Settings):
    """The pretrained model."""

    source: str = "minilm-l6"
    """A folder, `hub:org/name@revision`, or a catalog name."""
    max_tokens: Annotated[int, Field(ge=8)] | None = None
    """Cut training texts to this many tokens; default: all that the model can read."""
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Dropout of the pretrained model in training; default: its own. 0 trains faster."""


class EncoderBase(Base):
    """The pretrained encoder."""

    layers: Annotated[int, Field(ge=1)] | None = None
    """Use only so many of its lowest layers: faster and less accurate; default: all."""


class LanguageBase(Base):
    """The pretrained language model."""

    source: str = "smollm2-135m"
    """A folder, `hub:org/name@revision`, or a catalog name."""
    max_tokens: Annotated[int, Field(ge=8)] | None = 512
    """Tokens of a training row, and of what the chat model sees of a conversation; null: the model's own."""
    quantize: Literal["none", "4bit"] = "none"
    """`4bit`: QLoRA, on CUDA only."""


class Lora(Settings):
    """Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685)."""

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: str | tuple[str, ...] = "all-linear"
    """`all-linear`, or the ends of module names."""
    init: Literal["default", "pissa"] = "default"
    """`pissa` starts from the principal singular vectors (arXiv:2404.02948); saved as plain LoRA."""
    rslora: bool = False
    """Scale by alpha / sqrt(rank) (arXiv:2312.03732)."""
    dora: bool = False
    """Learn magnitude and direction apart (arXiv:2402.09353)."""


class Training(Settings):
    """How long, how fast, and what to watch."""

    epochs: Annotated[float, Field(gt=0)] = 3
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Stop after this many optimizer steps, whatever `epochs` says."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Batches to one optimizer step."""
    lr: Annotated[float, Field(gt=0)] = 5e-4
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.06
    """Share of the steps in which the learning rate rises."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    group_by_length: bool = True
    """Batch texts of like length: less padding, about twice as fast."""
    precision: Literal["auto", "fp32", "bf16", "fastest"] = "auto"
    """`auto`: bf16 on a GPU that has it, else fp32. `fastest`: bf16 on a CPU with instructions for it too."""
    evaluations: Annotated[int, Field(ge=1)] = 3
    """How often, in the whole training, to evaluate on the validation rows and save a checkpoint."""
    average: bool = False
    """End with the mean weights of checkpoints that together match the best one (arXiv:2203.05482)."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after this many evaluations without a better metric."""
    track: tuple[Tracker, ...] = ()
    """Trackers of transformers' Trainer: tensorboard, trackio, wandb, mlflow."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Data loader processes."""


FEW_STEPS, SMALL_BATCH = 100, 8
"""Fewer steps teach little: on 540 sentences of SST-2 the default 51 do less than 204, of batches of 8.
Searches on 600 rows of two data sets found the same: docs/search.md."""

PRESETS: Mapping[str, Mapping[str, object]] = {
    "fast": {
        "epochs": 4,
        "batch_size": 16,
        "lr": 1e-3,
        "label_smoothing": 0.1,
        "evaluations": 12,
        "average": True,
        "precision": "fastest",
        "freeze": 0.33,
    }
}
"""What `training.preset` stands for. docs/training.md tells what each is worth."""


def _with_preset(tree: object, keys: Collection[str]) -> object:
    """Put the preset's values, for those of `keys`, under those given; its field refuses an unknown one."""
    name = tree.get("preset") if isinstance(tree, dict) else None
    if not (isinstance(tree, dict) and isinstance(name, str) and name in PRESETS):
        return tree
    return {**{key: value for key, value in PRESETS[name].items() if key in keys}, **tree}


def _whole_or_share(freeze: float) -> float:
    if freeze > 1 and not freeze.is_integer():
        raise ValueError(f"expected a number of layers, or a share of them below 1, found {freeze:g}")
    return freeze


class TextTraining(Training):
    """What every classifier can do."""

    metric: str | None = None
    """What chooses the best checkpoint; default: macro_f1 for labels, pearson for numbers."""
    preset: Literal["fast"] | None = None
    """Values for those of these keys that the config does not give itself: see PRESETS."""
    freeze: Annotated[float, Field(ge=0), AfterValidator(_whole_or_share)] = 0
    """How many of the lowest layers stay frozen, or below 1 what share: they run once, without dropout."""
    cache_mb: Annotated[int, Field(ge=0)] = 2048
    """Memory for outputs of the frozen layers; if it does not suffice, they are run again in every epoch."""
    consistency: Annotated[float, Field(ge=0)] = 0.0
    """With `data.swaps`: the weight in the loss of how far the answers to a text and its copy are apart."""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, tree: object) -> object:
        return _with_preset(tree, cls.model_fields)


class ClassifierTraining(TextTraining):
    """What a classifier of labels can do."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs each class by the inverse of its share."""


class LabelSetTraining(TextTraining):
    """What a classifier with several labels a text can do."""

    imbalance: Literal["none", "balanced", "asymmetric"] = "none"
    """What is done for rare labels. `balanced`: a text that has the label weighs more, by the root of how
    much rarer those are. `asymmetric`: the loss of Ridnik et al. 2021 (arXiv:2009.14119)."""


class SentimentTraining(ClassifierTraining, LabelSetTraining):
    """What any classifier can do; each task refuses the keys that mean nothing to it."""


class DialogueTraining(Training):
    """What only a language model can do."""

    batch_size: Annotated[int, Field(ge=1)] = 4
    epochs: Annotated[float, Field(gt=0)] = 1
    packing: bool = False
    """Put several conversations into one row, none of which sees another: less padding."""
    gradient_checkpointing: bool = False
    """Compute activations twice instead of keeping them: about half the memory, a little slower on a CPU."""


class JudgeSettings(Settings):
    """A model that says which of two replies suits better. Its API key is read from NLPKIT_JUDGE_KEY."""

    address: str
    """An OpenAI-compatible endpoint or a decision model, up to and with `/v1`."""
    model: str
    """The model's name on the server."""
    protocol: Literal["openai", "systemone"] = "openai"
    """`systemone`: a decision model, which chooses between the replies and a tie."""


class DialogueEvaluation(Settings):
    """How much is asked of a tuned model and its base when they are measured."""

    items: Annotated[int, Field(ge=1)] = 100
    """Replies of people that both are asked about, with four histories each."""
    generate: Annotated[int, Field(ge=0)] = 50
    """To how many of the items they reply themselves."""
    candidates: Annotated[int, Field(ge=2)] = 20
    """How many replies they choose from, the true one included."""
    judge: JudgeSettings | None = None
