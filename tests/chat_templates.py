"""Chat templates and tokenizers of well known families, written after their documented formats."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

from nlpkit.data.examples import Conversation, Turn

SENTENCES = [
    "Hello there, how are you today?",
    "I am fine, thank you; and you?",
    "The weather is lovely, so let us walk to the park and talk about the film that we saw.",
    "user assistant system model think name root tool call",
    "What is the name of the other one? The answer is on the other side of the river.",
]

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Unlike GPT-2's, it takes a run of line breaks together with what is around it."""

CHATML = """
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""

LLAMA3 = """
{{- bos_token -}}
{%- for message in messages -%}
<|start_header_id|>{{ message.role }}<|end_header_id|>

{{ message.content | trim }}<|eot_id|>
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif -%}
"""

GEMMA = """
{{- bos_token -}}
{%- if messages and messages[0].role == 'system' -%}
{{ raise_exception('this model has no system role') }}{% endif -%}
{%- for message in messages -%}
{%- if message.role != ['user', 'assistant'][loop.index0 % 2] -%}
{{ raise_exception('user and assistant must take turns') }}{% endif -%}
<start_of_turn>{{ 'model' if message.role == 'assistant' else message.role }}
{{ message.content | trim }}<end_of_turn>
{% endfor -%}
{%- if add_generation_prompt -%}
<start_of_turn>model
{% endif -%}
"""

PHI3 = """
{%- for message in messages -%}
{{ '<|' + message.role + '|>\\n' + message.content + '<|end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif -%}
"""

MISTRAL = """
{%- set system = messages[0].content + '\\n\\n' if messages and messages[0].role == 'system' else '' -%}
{%- set turns = messages[1:] if system else messages -%}
{{- bos_token -}}
{%- for message in turns -%}
{%- if (message.role == 'user') != (loop.index0 % 2 == 0) -%}
{{ raise_exception('user and assistant must take turns') }}{% endif -%}
{%- if message.role == 'user' -%}
{{ '[INST] ' + (system if loop.first else '') + message.content + ' [/INST]' }}
{%- else -%}
{{ ' ' + message.content + eos_token }}
{%- endif -%}
{%- endfor -%}
"""

# The newer members of the family: no spaces, and what is said beforehand stands in the last question.
MISTRAL_LAST = MISTRAL.replace("loop.first", "loop.last")
MISTRAL_LAST = (
    MISTRAL_LAST.replace("'[INST] '", "'[INST]'")
    .replace("' [/INST]'", "'[/INST]'")
    .replace("' ' + message", "message")
)

QWEN3 = """
{%- set last = namespace(question=-1) -%}
{%- for message in messages %}{% if message.role == 'user' -%}
{%- set last.question = loop.index0 %}{% endif %}{% endfor -%}
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\\n' -}}
{%- if message.role == 'assistant' -%}
{%- set thought = '' -%}
{%- if '</think>' in message.content -%}
{%- set thought = message.content.split('</think>')[0].split('<think>')[-1].strip('\\n') -%}
{%- endif -%}
{%- set said = message.content.split('</think>')[-1].lstrip('\\n') -%}
{%- if loop.index0 > last.question and loop.last -%}
{{ '<think>\\n' + thought + '\\n</think>\\n\\n' }}{% endif -%}
{{ said -}}
{%- else -%}
{{ message.content -}}
{%- endif -%}
{{ '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' -}}
{%- if enable_thinking is defined and enable_thinking is false -%}
{{ '<think>\\n\\n</think>\\n\\n' }}{% endif -%}
{%- endif -%}
"""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A chat template and what the tokenizer that it was written for is like."""

    name: str
    template: str | None
    bos: str | None
    eos: str
    end: str
    """The token that ends a reply."""
    special: tuple[str, ...]
    plain: tuple[str, ...] = ()
    """Added tokens that the tokenizer does not call special, though a model takes them for control."""
    letters: tuple[str, ...] = ()
    """Added tokens that are text: runs of line breaks, single letters."""
    pieces: str = "bytes"
    """How text becomes tokens: bytes (GPT-2), llama3, qwen, gemma, sentencepiece, metaspace, unigram."""
    strips: bool = False
    """Whether its control tokens swallow the white space after them."""
    takes_system: bool = True
    takes_leading_reply: bool = True
    trims: bool = False
    """Whether the template takes the white space off a message's ends."""
    fixed_frames: bool = True
    """Whether each turn is written alike wherever it stands."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every added token that is for control."""
        return (*self.special, *self.plain)

    @property
    def has_prefix_space(self) -> bool:
        """Whether a text alone gets a space in front: joined ids of parts differ from those of the whole."""
        return self.pieces in ("sentencepiece", "metaspace", "unigram")

    @property
    def tokenizer(self) -> Any:
        """One a process: tests must not change it."""
        return _tokenizer(self)

    def text(self, ids: list[int]) -> str:
        """What the ids say in the middle of a text, control tokens shown."""
        letter = self.ids("a")
        return str(
            self.tokenizer.decode(
                [*letter, *ids], skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )[1:]

    def survives(self, text: str) -> str:
        """Return a text as the template and the tokenizer of this family change it; nothing else may."""
        text = text.strip() if self.trims else text
        if self.pieces == "qwen":
            return unicodedata.normalize("NFC", text)
        return text if self.pieces in ("bytes", "llama3") else text.replace("▁", " ")

    def ids(self, *tokens: str) -> list[int]:
        return [int(self.tokenizer.convert_tokens_to_ids(token)) for token in tokens]


IM = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
FAMILIES = {
    family.name: family
    for family in (
        Family(
            name="chatml",
            template=CHATML,
            bos=None,
            eos="<|im_end|>",
            end="<|im_end|>",
            special=(*IM, "<repo_name>", "<file_sep>"),
        ),
        Family(
            name="llama3",
            template=LLAMA3,
            bos="<|begin_of_text|>",
            eos="<|eot_id|>",
            end="<|eot_id|>",
            pieces="llama3",
            trims=True,
            special=(
                "<|begin_of_text|>",
                "<|end_of_text|>",
                "<|start_header_id|>",
                "<|end_header_id|>",
                "<|eot_id|>",
                "<|eom_id|>",
                "<|python_tag|>",
                "<|reserved_special_token_0|>",
            ),
        ),
        Family(
            name="gemma",
            template=GEMMA,
            bos="<bos>",
            eos="<eos>",
            end="<end_of_turn>",
            pieces="gemma",
            trims=True,
            special=("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"),
            plain=("<table>", "[multimodal]"),
            letters=("\n\n", "▁▁", "ü"),
            takes_system=False,
            takes_leading_reply=False,
        ),
        Family(
            name="phi3",
            template=PHI3,
            bos="<s>",
            eos="<|endoftext|>",
            end="<|end|>",
            pieces="sentencepiece",
            strips=True,
            special=(
                "<unk>",
                "<s>",
                "</s>",
                "<|endoftext|>",
                "<|assistant|>",
                "<|system|>",
                "<|user|>",
                "<|end|>",
            ),
            plain=("<|placeholder1|>",),
        ),
        Family(
            name="mistral",
            template=MISTRAL,
            bos="<s>",
            eos="</s>",
            end="</s>",
            pieces="sentencepiece",
            takes_leading_reply=False,
            special=("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]"),
        ),
        Family(
            name="mistral-last",
            template=MISTRAL_LAST,
            bos="<s>",
            eos="</s>",
            end="</s>",
            pieces="metaspace",
            takes_leading_reply=False,
            special=("<unk>", "<s>", "</s>", "[INST]", "[/INST]"),
            plain=("[TOOL_RESULTS]",),
            fixed_frames=False,
        ),
        Family(
            name="qwen3-think",
            template=QWEN3,
            bos=None,
            eos="<|im_end|>",
            end="<|im_end|>",
            special=IM,
            pieces="qwen",
            fixed_frames=False,
            plain=(
                "<tool_call>",
                "</tool_call>",
                "<tool_response>",
                "</tool_response>",
                "<think>",
                "</think>",
            ),
        ),
        Family(
            name="unigram",
            template=CHATML,
            bos="<s>",
            eos="</s>",
            end="<|im_end|>",
            pieces="unigram",
            special=("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"),
            plain=("<think>", "</think>"),
        ),
        Family(
            name="none",
            template=None,
            bos="<|endoftext|>",
            eos="<|endoftext|>",
            end="<|endoftext|>",
            special=("<|endoftext|>",),
        ),
    )
}
"""`unigram` has control tokens in the model's vocabulary, so text spells them; `none` has no template."""


def conversation(*texts: str, system: str = "", first: str = "user", id: str = "1") -> Conversation:
    """Turns of two sides in order, the named one first."""
    sides = ("user", "assistant") if first == "user" else ("assistant", "user")
    return Conversation(
        turns=tuple(Turn(role=sides[place % 2], text=text) for place, text in enumerate(texts)),
        system=system,
        id=id,
    )  # type: ignore[arg-type]


def replies(talk: Conversation) -> list[str]:
    return [turn.text for turn in talk.turns if turn.role == "assistant"]


def messages(talk: Conversation) -> list[dict[str, str]]:
    """What `apply_chat_template` takes."""
    messages = [{"role": "system", "content": talk.system}] if talk.system else []
    return messages + [{"role": turn.role, "content": turn.text} for turn in talk.turns]


@cache
def _tokenizer(family: Family) -> Any:
    from tokenizers import AddedToken, processors
    from transformers import PreTrainedTokenizerFast

    make = {
        "gemma": _sentencepiece,
        "sentencepiece": _sentencepiece,
        "metaspace": _sentencepiece,
        "unigram": _unigram,
    }
    core = make.get(family.pieces, _bytes)(family)
    for token in family.special:
        core.add_tokens(
            [
                AddedToken(
                    token, special=True, normalized=False, rstrip=family.strips and token.startswith("<|")
                )
            ]
        )
    core.add_tokens(
        [AddedToken(token, special=False, normalized=False) for token in (*family.plain, *family.letters)]
    )
    if family.bos:  # as the real ones do: a text that is encoded carelessly begins with it
        core.post_processor = processors.TemplateProcessing(
            single=f"{family.bos} $A", special_tokens=[(family.bos, core.token_to_id(family.bos))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=family.bos, eos_token=family.eos, chat_template=family.template,
        unk_token="<unk>" if "<unk>" in family.special else None,
    )  # fmt: skip


def _bytes(family: Family) -> Any:
    """GPT-2's way and its children's: any text, byte for byte."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    if family.pieces == "bytes":
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        core.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(LLAMA3_SPLIT), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    if family.pieces == "qwen":
        core.normalizer = normalizers.NFC()
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        SENTENCES, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    )
    return core


def _sentencepiece(family: Family) -> Any:
    """Train Llama 2's kind: spaces are letters, unknown letters become bytes, a text starts with a space."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    trained = Tokenizer(models.BPE())
    words = [f"▁{word}" for sentence in SENTENCES for word in sentence.split()]
    trained.train_from_iterator(words, trainers.BpeTrainer(vocab_size=250, show_progress=False))
    trained_model = json.loads(trained.to_str())["model"]
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "\n", "▁", *trained_model["vocab"]]
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys(pieces))}
    merges = [tuple(pair) for pair in trained_model["merges"]]
    if family.pieces == "gemma":  # whose added runs of spaces are pieces of the model besides
        merges = [("▁", "▁"), ("\n", "\n"), *merges]
        vocabulary |= {one: len(vocabulary) + place for place, one in enumerate(("▁▁", "\n\n"))}
    core = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    spaces = normalizers.Replace(" ", "▁")
    back = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if family.pieces == "gemma":
        core.normalizer, core.decoder = spaces, decoders.Sequence(back)
    elif family.pieces == "metaspace":
        core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        core.decoder = decoders.Sequence([*back, decoders.Strip(" ", 1, 0)])
    else:
        core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), spaces])
        core.decoder = decoders.Sequence([*back, decoders.Strip(" ", 1, 0)])
    return core


def _unigram(family: Family) -> Any:
    """Train T5's kind, with control tokens among the pieces: the model reads `</s>` in a text as one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(set("".join(SENTENCES)) | set("<|>/_▁\n0123456789abcdefghijklmnopqrstuvwxyz"))
    words = sorted({f"▁{word}" for sentence in SENTENCES for word in sentence.split()})
    pieces = [(token, 0.0) for token in family.tokens] + [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    pieces += [(word, -4.0) for word in words] + [(letter, -6.0) for letter in letters if letter != " "]
    core = Tokenizer(models.Unigram(list(dict(pieces).items()), unk_id=0, byte_fallback=True))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    core.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always"), decoders.Fuse()]
    )
    return core
