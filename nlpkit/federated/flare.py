"""Our server and our sites inside NVFlare: it carries bytes between them, and does nothing to them.

NVFlare's own processes import this module; nothing else does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.errors import NlpkitError, optional
from nlpkit.federated.rounds import Ledger, Reply, run_rounds
from nlpkit.federated.settings import Federation
from nlpkit.federated.site import SITES, Facts, FederatedConfig, Site, read_rows, refuse_disagreement
from nlpkit.files import write_whole
from nlpkit.training.loaded_base import load_classifier_base
from nlpkit.training.train import read_training

_spec: Any = optional("nvflare.apis.controller_spec", extra="federated")
_shareable: Any = optional("nvflare.apis.shareable", extra="federated")

if TYPE_CHECKING:

    class _Component:
        """What is inherited from NVFlare, which has no types."""

        def __getattr__(self, name: str) -> Any: ...

    class _Controller(_Component): ...

    class _Executor(_Component): ...

else:
    _Controller = optional("nvflare.apis.impl.controller", extra="federated").Controller
    _Executor = optional("nvflare.apis.executor", extra="federated").Executor

WEIGHTS, FACTS, PROBLEM, ROUND = "weights", "facts", "problem", "round"
"""Keys of messages."""


class Server(_Controller):
    """Asks the sites in rounds and keeps the ledger. It reads no rows and no base."""

    def __init__(self, config: str, ledger: str, fingerprint: str, seed: int, parent: int, cwd: str) -> None:
        """Take what the job's file says."""
        super().__init__()
        self.config: FederatedConfig = read_training(config).settings()
        self.ledger: Ledger = Ledger(Path(ledger), fingerprint)
        self.parent = parent

    def start_controller(self, fl_ctx: Any) -> None:
        """Do nothing before the rounds."""

    def stop_controller(self, fl_ctx: Any) -> None:
        """Do nothing after them."""

    def process_result_of_unknown_task(self, *_: Any, **__: Any) -> None:
        """Drop what comes after its round has ended."""

    def control_flow(self, abort_signal: Any, fl_ctx: Any) -> None:
        """Check that the sites agree, and run the rounds that are left."""
        federation: Federation = self.config.federation
        try:
            replies = self._ask("facts", {}, abort_signal, fl_ctx)
            for site in self.config.sites:
                if isinstance(reply := replies.get(site, "did not answer"), str):
                    raise NlpkitError(f"sites.{site}: {reply}")
            facts = {site: Facts.model_validate_json(replies[site]) for site in self.config.sites}
            refuse_disagreement(facts)

            def ask(number: int, sent: bytes) -> Mapping[str, Reply]:
                return self._ask("train", {WEIGHTS: sent, ROUND: number}, abort_signal, fl_ctx)

            rows = {site: known.rows for site, known in facts.items()}
            run_rounds(self.ledger, rows, ask, federation, report=lambda this: None)
        except NlpkitError as error:
            if self._is_followed:
                write_whole(self.ledger.folder / "error.txt", str(error))
            self.system_panic(str(error), fl_ctx)

    def _ask(self, name: str, message: Mapping[str, Any], abort: Any, fl_ctx: Any) -> dict[str, Reply]:
        """Send a message to all sites and return what came back in time."""
        replies: dict[str, Reply] = {}

        def received(client_task: Any, fl_ctx: Any) -> None:
            result = client_task.result
            taken = result.get(WEIGHTS, result.get(FACTS))
            code = result.get_return_code()
            replies[client_task.client.name] = (
                taken if isinstance(taken, bytes) else str(result.get(PROBLEM, f"failed: {code}"))
            )
            client_task.result = None

        data = _shareable.Shareable()
        data.update(message)
        task = _spec.Task(
            name=name,
            data=data,
            timeout=max(1, round(self.config.federation.timeout_s)),
            result_received_cb=received,
        )
        sites = list(self.config.sites)
        self.broadcast_and_wait(task, fl_ctx, sites, min_responses=len(sites), abort_signal=abort)
        if abort.triggered:
            raise NlpkitError("NVFlare stopped the job")
        if not self._is_followed:  # killed, and perhaps resumed: this round is not kept
            raise NlpkitError("the training that started NVFlare has ended")
        return dict(replies)

    @property
    def _is_followed(self) -> bool:
        """Whether the process that started the training still runs."""
        try:
            os.kill(self.parent, 0)
        except ProcessLookupError:
            return False
        return True


class SiteExecutor(_Executor):
    """A site inside NVFlare: it opens the rows of its own name alone."""

    def __init__(self, config: str, ledger: str, fingerprint: str, seed: int, parent: int, cwd: str) -> None:
        """Take what the job's file says."""
        super().__init__()
        self.config = config
        self.folder: Path = Path(ledger) / SITES
        self.seed = seed
        self.cwd = cwd
        self.site: Site | None = None

    def execute(self, task_name: str, shareable: Any, fl_ctx: Any, abort_signal: Any) -> Any:
        """Answer with facts or with weights, or with why there are none."""
        answer = _shareable.Shareable()
        try:
            with chdir(self.cwd):  # the engine's processes run elsewhere, and a source may be relative
                self._answer(task_name, shareable, fl_ctx.get_identity_name(), answer)
        except Exception as error:
            # Its message stays in the site's own log: it could quote a text
            self.log_exception(fl_ctx, f"{task_name}: {error}")
            answer[PROBLEM] = f"failed: {type(error).__name__}"
        return answer

    def _answer(self, task_name: str, shareable: Any, name: str, answer: Any) -> None:
        if self.site is None:
            self.site = open_site(read_training(self.config).settings(), name, self.folder, self.seed)
        if task_name == "facts":
            answer[FACTS] = self.site.facts.model_dump_json().encode()
        else:
            answer[WEIGHTS] = self.site.train(int(shareable[ROUND]), bytes(shareable[WEIGHTS]))


def open_site(config: FederatedConfig, name: str, folder: Path, seed: int) -> Site:
    """Open one site: its rows, and its own copy of the base."""
    return Site(
        name=name,
        config=config,
        rows=read_rows(config, name),
        base=load_classifier_base(config.base),
        seed=seed,
        folder=folder / name,
    )
