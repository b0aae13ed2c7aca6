"""A bot in another form: exported, proved beside the model that it was made of, and only then put in its place."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from nlpkit.errors import ConfigError
from nlpkit.files import write_whole
from nlpkit.generation.chat_parity import ChatParity, ExportFormat, check_parity, require_parity
from nlpkit.generation.chatbot import PRECISIONS, chat_identity, name_of
from nlpkit.generation.genai_decoder import exported, make
from nlpkit.generation.language_model import LanguageModel, save_language_model
from nlpkit.generation.torch_decoder import TorchDecoder
from nlpkit.models.pretrained import load_language_model
from nlpkit.run import Run

Talk = Callable[[str], None]


def export_chat_model(
    run: Run, to: ExportFormat, folder: Path | None, *, force: bool = False, talk: Talk | None = None
) -> Path:
    """The folder, once it holds the run's bot in this form. Without a folder, the cache's, where `nlpkit chat` looks for it.

    Raises:
        ConfigError: the folder is there already, none is named for a merged model, or the exporter is not installed.
        RunError: the run cannot be exported, or its export answers otherwise.
    """
    if folder is None:
        if to == "merged":
            raise ConfigError("a merged model goes to a folder of yours; cure: -o FOLDER")
        return exported(
            name_of(run.name),
            chat_identity(run),
            PRECISIONS[to],
            lambda: LanguageModel.load(run),
            talk=talk,
        )
    if folder.exists():
        raise ConfigError(f"{folder}: is there already; cure: another folder, or delete it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    language = LanguageModel.load(run)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
        made = Path(name) / "export"
        if to == "merged":
            save_language_model(language, made)
            parity = check_parity(language, made, TorchDecoder(load_language_model(made)), to)
        else:
            parity = make(language, Path(name), made, PRECISIONS[to])
        require_parity(parity, f"{run.name} to {to}", force=force)
        write_whole(made / "README.md", _card(run, to, parity))
        made.rename(folder)  # whole from its first moment
    if talk:
        talk(f"exported {run.name} to {to}: {parity.words()}")
    return folder


def _card(run: Run, to: ExportFormat, parity: ChatParity) -> str:
    failed = "".join(f"\n**Not like its run:** {failure}.\n" for failure in parity.failures)
    return f"# {run.name}, exported to {to}\n{failed}\nProved beside the run: {parity.words()}.\n"
