"""Write the fixtures. Run with nlpkit 0.1.0 at commit 8392281; kept so anyone can see how they came to be.

    git worktree add ../old 8392281
    cp -r tests/legacy ../old/tests/ && cd ../old && PYTHONPATH=$PWD python -m tests.legacy.make_fixtures

It needs the extras `onnx`, `openvino` and `preference`. All is written with the fixtures' folder as the
working folder and by relative paths, so that what names a base or a file by its path holds wherever the
folder is copied to.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import chats, make_base, make_chat_base, sentences, train_toy, write_chats, write_csv
from tests.integration.test_preference import pair_rows, rated_rows
from tests.legacy import asking
from tests.legacy.legacy_configs import CONFIGS, TRAINED

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
FORMS = ("onnx", "onnx-int8", "openvino", "merged")
"""openvino-bf16 can only be written by a processor that multiplies in bfloat16."""

OWNERS, QUERIES = ("", "ann"), ("tea", "lamp", "keys", "nowhere")
KILLED_AFTER = 2
"""Chunks after which the half-done scorings are killed."""


def main() -> None:
    """Write everything, from the bases to what the old code answers."""
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir()
    os.chdir(FIXTURES)
    os.environ["NLPKIT_CACHE"] = "cache"
    os.environ["HF_HUB_OFFLINE"] = "1"
    write_inputs()
    answers: dict[str, Any] = {"machine": asking.machine()}
    answers["runs"] = train_all()
    answers["exports"] = export_all()
    answers["bots"] = export_bots()
    answers["reports"] = report_all()
    answers["configs"] = write_configs()
    answers["scoring"] = score_all()
    answers["stores"] = write_stores()
    text = json.dumps(answers, indent=1, ensure_ascii=False, sort_keys=True)
    Path("answers.json").write_text(text + "\n", encoding="utf-8")
    tidy()


def write_inputs() -> None:
    """The tiny bases, and data of every shape that is learnt from."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    make_base(Path("bases/bert"), hidden=16, layers=1)
    make_chat_base(Path("bases/llama"))
    shape = {
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "head_dim": 32,
    }  # 4 bits need a width of 64
    config = LlamaConfig.from_pretrained("bases/llama")
    for name, value in shape.items():
        setattr(config, name, value)
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained("bases/llama")
    data = Path("data")
    data.mkdir()
    draw = random.Random(3)
    rows = sentences(160)
    write_csv(data / "polarity.csv", rows)
    topics = {"film": "films", "food": "meals", "place": "travel"}
    found = [
        (text, next((topic for word, topic in topics.items() if word in text.split()), None))
        for text, _ in sentences(400, seed=2)
    ]
    write_csv(data / "topics.csv", [(text, label) for text, label in found if label][:150])
    lines = ["text,points,weight,mean,sd"]
    for text, label in rows:
        mean = (2.5 if label == "positive" else -2.5) + draw.randint(-15, 15) / 10
        lines.append(
            f"{text},{mean + 4:.1f},{draw.choice(('', 0.5, 2))},{mean:.1f},{draw.randint(2, 20) / 10}"
        )
    (data / "rated.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (data / "unlabelled.csv").write_text(
        "text\n" + "".join(f"{text}\n" for text, _ in sentences(200, seed=5)[60:]), encoding="utf-8"
    )
    write_csv(data / "held.csv", sentences(200, seed=5)[:40])
    write_chats(data / "chats.jsonl", chats(80))
    write_chats(data / "liked.jsonl", rated_rows(120))
    write_chats(data / "pairs.jsonl", pair_rows(60))


def train_all() -> dict[str, Any]:
    """A run of each kind, trained by its recipe, and what each answers."""
    from nlpkit import Chatbot, Classifier, LanguageModel, Run

    found: dict[str, Any] = {}
    for text in TRAINED:
        config = Path("config.yaml")
        config.write_text(text, encoding="utf-8")
        for run in train_toy(config):
            if Run.open(run).read().task["kind"] == "dialogue":
                before, bot = LanguageModel.without_adapter(run, threads=1), Chatbot.load(run, threads=1)
                found[str(run)] = {
                    "language": asking.ask_language(LanguageModel.load(run, threads=1)),
                    "before": asking.ask_language(before),
                    "bot": asking.ask_bot(bot),
                }
            else:
                runtimes = ("torch", "torch-bf16")
                found[str(run)] = {
                    one: asking.ask_classifier(Classifier.load(run, runtime=one, threads=1))
                    for one in runtimes
                }
                found[str(run)]["fingerprint"] = Classifier.load(run, runtime="torch").fingerprint
        config.unlink()
    return found


def export_all() -> dict[str, Any]:
    """Classifiers in every form, in folders of their own, but for one that lies where the cache keeps it."""
    from nlpkit.inference.export import export_run, place_of

    from nlpkit import Classifier, Run

    found = {}
    for name in ("polarity", "intensity"):
        for form in FORMS:
            run, kept = Run.open(f"runs/{name}"), (name, form) == ("polarity", "onnx")
            folder = place_of(run, form).relative_to(Path.cwd()) if kept else Path(f"exports/{name}-{form}")
            # Eight bits cost a toy more than they may
            export_run(run, form, folder, force=form == "onnx-int8", talk=print)
            if form.startswith("onnx"):
                forget_paths(folder)
            found[str(folder)] = asking.ask_classifier(Classifier.load(folder, threads=1))
    return found


def forget_paths(folder: Path) -> None:
    """Take out of a model which line of which file of this machine made each node. It computes the same."""
    import onnx

    from nlpkit.run import sha256_of

    path, marker = folder / "model.onnx", folder / "export.json"
    model = onnx.load(path, load_external_data=False)
    for one in (
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.initializer,
        *model.graph.input,
        *model.graph.output,
    ):
        del one.metadata_props[:]
    path.write_bytes(model.SerializeToString())
    record = json.loads(marker.read_text(encoding="utf-8"))
    record["weights_sha256"] = sha256_of(
        sorted(file for file in folder.iterdir() if file.name.startswith("model"))
    )
    marker.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def export_bots() -> dict[str, Any]:
    """The dialogue run as a plain model, and where the cache keeps it for the chat's other runtimes."""
    from nlpkit.inference.export_chat import export_bot

    from nlpkit import Chatbot, Run

    export_bot(Run.open("runs/bot"), "merged", Path("exports/bot-merged"), talk=print)
    found = {"exports/bot-merged": asking.ask_bot(Chatbot.default("exports/bot-merged", threads=1))}
    for runtime in ("onnx", "onnx-int8", "onnx-int4"):
        found[runtime] = asking.ask_bot(Chatbot.load("runs/bot", runtime=runtime, threads=1))
    return found


def report_all() -> dict[str, Any]:
    """What is measured anew on a copy of a run, and what a check of data finds."""
    import nlpkit

    found: dict[str, Any] = {}
    for name, source in (("polarity", asking.HELD), ("intensity", asking.RATED)):
        shutil.copytree(f"runs/{name}", f"measured/{name}")
        report = nlpkit.evaluate(nlpkit.Run.open(f"measured/{name}"), source)
        found[name] = asking.plain(json.loads(report.to_json())["scores"])
    shutil.rmtree("measured")
    found["check"] = asking.check_data()
    return found


def write_configs() -> dict[str, Any]:
    """A config of each recipe with every key that there is, and what its recipe made of it."""
    from pydantic import BaseModel

    def unset(settings: BaseModel, where: str) -> list[str]:
        names = [
            f"{where}.{name}" for name in type(settings).model_fields if name not in settings.model_fields_set
        ]
        for name in settings.model_fields_set:
            value = getattr(settings, name)
            for one in value if isinstance(value, tuple) else (value,):
                names += unset(one, f"{where}.{name}") if isinstance(one, BaseModel) else []
        return names

    Path("configs").mkdir()
    found = {}
    for name, text in CONFIGS.items():
        path = Path("configs") / f"{name}.yaml"
        path.write_text(text.lstrip(), encoding="utf-8")
        config = asking.recipe_config(path)
        if missing := unset(config, name):
            raise SystemExit(f"keys that the config does not give: {', '.join(missing)}")
        found[path.name] = config.model_dump(mode="json")
    return found


def score_all() -> dict[str, Any]:
    """Scored files of every format, each with a record of how it was made, and some killed in the middle."""
    from nlpkit import Classifier, score_file

    Path("scoring").mkdir()
    texts = [*(text for text, _ in sentences(60, seed=9)), "=1+1", 'with "quotes", commas', "zwölf"]
    rows = [{"id": place, "text": text, "note": f"n{place}"} for place, text in enumerate(texts)]
    write = {
        "in.csv": "".join(
            f'{one["id"]},"{one["text"].replace(chr(34), chr(34) * 2)}",{one["note"]}\n' for one in rows
        )
    }
    write["in.csv"] = "id,text,note\n" + write["in.csv"] + "99,,rejected\n"
    write["in.jsonl"] = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)
    for name, text in write.items():
        Path("scoring", name).write_text(text, encoding="utf-8", newline="")
    found = {}
    for run in ("polarity", "topics", "spread"):
        classifier = Classifier.load(f"runs/{run}", runtime="torch", threads=1)
        for source, target in (("in.csv", "csv"), ("in.jsonl", "jsonl"), ("in.jsonl", "parquet")):
            place = f"scoring/{run}.{target}"
            summary = score_file(
                classifier,
                f"scoring/{source}",
                place,
                on_error="skip",
                budget=512,
                record=Path(f"{place}.json"),
            )
            found[place] = {"source": f"scoring/{source}", "run": f"runs/{run}", **counts(summary)}
    for engine in ("made-up", "polarity"):
        for ending in ("csv", "jsonl"):
            target = f"scoring/half-{engine}.{ending}"
            whole = score_file(
                engine_of(engine), f"scoring/in.{ending}", f"{target}.whole.{ending}", **half_options(engine)
            )
            code = [sys.executable, "-m", "tests.legacy.make_fixtures", "--killed", engine, ending]
            done = subprocess.run(
                code, env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)}, check=False
            )
            state = json.loads(Path(f"{target}.nlpkit/state.json").read_text(encoding="utf-8"))
            if done.returncode != -signal.SIGKILL or not 0 < state["read"] < whole.rows:
                raise SystemExit(f"{target}: was not killed in the middle: {done.returncode}, {state}")
            found[target] = {
                "source": f"scoring/in.{ending}",
                "engine": engine,
                "done": state["read"],
                **counts(whole),
            }
    return found


def counts(summary: Any) -> dict[str, Any]:
    """What does not depend on the clock."""
    return {name: getattr(summary, name) for name in ("rows", "rejected", "partly_read", "budget")}


def engine_of(name: str) -> Any:
    """A run's classifier, or one that needs no model, so that its bytes are the same on every machine."""
    from nlpkit import Classifier

    return (
        asking.MadeUp() if name == "made-up" else Classifier.load(f"runs/{name}", runtime="torch", threads=1)
    )


def half_options(name: str) -> dict[str, Any]:
    """How the half-done scorings are done."""
    return {"on_error": "skip", "chunk_rows": 10, **({} if name == "made-up" else {"budget": 512})}


def score_and_die(engine: str, ending: str) -> None:
    """Begin a scoring and kill this process in the middle of it."""
    done = []

    def progress(_: object) -> None:
        done.append(1)
        if len(done) == KILLED_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)

    from nlpkit import score_file

    os.chdir(FIXTURES)
    target = f"scoring/half-{engine}.{ending}"
    score_file(engine_of(engine), f"scoring/in.{ending}", target, **half_options(engine), progress=progress)


def write_stores() -> dict[str, Any]:
    """A store that was closed, one whose program was killed, and what is answered when a talk goes on."""
    from nlpkit import Chatbot, Classifier, Session, Store
    from nlpkit.chat.feedback import write_feedback

    Path("chat").mkdir()
    bot = Chatbot.load("runs/bot", threads=1)
    with Store.open("chat/chat.db") as store:
        session = Session(store, bot, Classifier.load("runs/polarity", runtime="torch", threads=1))
        held = hold_conversations(session)
        write_feedback(store, Path("chat/feedback.jsonl"))
        for path in Path("chat").glob("chat.db*"):  # not closed yet: what is said stands in the log beside it
            if path.is_file() and not path.name.endswith("-shm"):
                shutil.copy(path, path.with_name(path.name.replace("chat.db", "killed.db")))
        found = {"chat/chat.db": asking.ask_store(store, OWNERS, QUERIES)}
    with Store.open("chat/chat.db") as store:
        again = asking.ask_store(store, OWNERS, QUERIES)
    if again != found["chat/chat.db"]:
        raise SystemExit("the store does not answer alike twice")
    shutil.copy("chat/chat.db", "chat/further.db")
    with Store.open("chat/further.db") as store:
        session = Session(store, bot, Classifier.load("runs/polarity", runtime="torch", threads=1))
        found["further"] = {"chat": held, "said": asking.say_further(session, held)}
    if not found["further"]["said"]["reply"]:
        raise SystemExit("the bot says nothing further: nothing would be proved by it")
    for path in Path("chat").glob("further.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    bot.close()
    return found


def hold_conversations(session: Any) -> str:
    """The id of a talk to go on with, among those of two owners with branches, ratings, choices, moods."""
    from nlpkit.inference.context import Context

    store, greedy, drawn = session.store, *asking.DRAWN
    first = session.start(
        "", system="Be kind.", run="runs/bot", settings={"mood": True, "sampling": {"temperature": 0.0}}
    ).id
    replies = []
    for place, text in enumerate(("think of tea", "no, of lamp", "which? I lost my keys 🔑")):
        "".join(said := session.say(first, "", text, greedy if place else drawn))
        replies.append(said.reply)
    session.rate(first, "", replies[0].id, "up", "it listens")
    session.rate(first, "", replies[2].id, "down", "no comfort")
    "".join(other := session.retry(first, "", drawn))
    session.choose(first, "", other.reply.id, replies[2].id, "better")
    "".join(session.edit(first, "", replies[1].parent, "no, of a lamp", greedy))
    session.undo(first, "")
    "".join(session.say(first, "", "of the moon", greedy))
    second = session.start("ann", title="Keys", settings={"mood": False}).id
    asked = store.append(second, "ann", "user", "أين are my keys?")
    ledger = Context(
        seen=(2,),
        recalled=(0,),
        dropped=(1,),
        tokens=40,
        room=48,
        summary="Keys.",
        policy="recall",
        found_by="words",
    )
    for finish, text in (("stop", "here"), ("length", "there and"), ("stopped", "no")):
        one = store.append(
            second, "ann", "assistant", text, after=asked.id, bot="made up", finish=finish, context=ledger
        )
        store.rate(second, "ann", one.id, "up" if finish == "stop" else "down")
    store.create("ann")
    store.delete(store.create("ann", title="gone").id, "ann")
    return first


def tidy() -> None:
    """Leave out pages for people and what belongs to this machine alone; refuse a path of this machine."""
    for path in sorted(Path().rglob("*"), reverse=True):
        if (
            path.suffix in (".html", ".lock", ".pid")
            or path.name in ("lock", "training_args.bin")
            or path.name.endswith(".holds")
        ):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    roots = [
        str(FIXTURES.parents[2]).encode(),
        sys.prefix.encode(),
        str(Path.home()).encode() + b"/",
        b"/tmp/",
    ]
    named = [
        str(path)
        for path in Path().rglob("*")
        if path.is_file() and any(root in path.read_bytes() for root in roots)
    ]
    if named:
        raise SystemExit(f"these name a path of this machine: {', '.join(named)}")


if __name__ == "__main__":
    score_and_die(*sys.argv[2:]) if sys.argv[1:2] == ["--killed"] else main()
