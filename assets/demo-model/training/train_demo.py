# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.13.0", "numpy", "tokenizers", "safetensors"]
# ///
"""Train the demo model on a CPU, within a fixed time.

The learning rate follows how much of the time or of the steps is used up, whichever is further, so that it always ends
near zero even if the machine is busy. The last parts of the training use longer rows, up to the full context, and
simulate 4-bit rounding, so that long chats and the small exports work. A checkpoint is the model folder itself plus the
state of the optimizer; started again, the script continues from it.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from demo_batches import RowBuilder
from demo_corpus import read_corpus, split_corpus
from demo_dialogues import DialogueBuilder
from demo_tokenizer import write as write_tokenizer
from qwen3_torch import Qwen3, Qwen3Config
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch._inductor import config as inductor
from torch.nn import functional

PEAK_RATE, WEIGHT_DECAY = 2e-3, 0.1
WARM_UP_STEPS, LAST_RATE_SHARE = 100, 0.01
CHECKPOINT_STEPS, LOG_STEPS, TRIAL_STEPS = 100, 10, 20
SEED = 7


@dataclass
class Progress:
    """What has been done so far; saved with every checkpoint."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    trained_tokens: int = 0
    loss: float = 0.0


@dataclass(frozen=True)
class Phase:
    """A part of the training: until when, the shape of a batch, 4-bit rounding or not, tokens of most answers."""

    until: float
    rows: int
    length: int
    quantized: bool
    cut: int | None = None


PHASES = (
    Phase(until=0.84, rows=16, length=256, quantized=False, cut=16),
    Phase(until=0.955, rows=4, length=1024, quantized=True),
    Phase(until=1.00, rows=2, length=2048, quantized=True),
)


@dataclass(frozen=True)
class Plan:
    """Length of the training."""

    steps: int
    seconds: float

    def used(self, progress: Progress) -> float:
        """Return the part of the training that is over, 0 to 1."""
        return min(1.0, max(progress.step / self.steps, progress.seconds / self.seconds))

    def rate(self, progress: Progress) -> float:
        """Return the factor for the learning rates: warm-up, then a cosine down to almost zero."""
        cosine = 0.5 * (1 + math.cos(math.pi * self.used(progress)))
        return min(1.0, (progress.step + 1) / WARM_UP_STEPS) * (LAST_RATE_SHARE + (1 - LAST_RATE_SHARE) * cosine)

    def phase(self, progress: Progress) -> Phase:
        """Return the phase that the training is in."""
        return next((phase for phase in PHASES if self.used(progress) < phase.until), PHASES[-1])


class Trainer:
    """Holds the model, its optimizers and the progress."""

    def __init__(self, plan: Plan, rows: RowBuilder, folder: Path, threads: int) -> None:
        """Create the model, or load it from the folder."""
        torch.manual_seed(SEED)
        torch.set_num_threads(threads)
        inductor.cpp.dynamic_threads = True
        self.threads, self.trials = sorted({1, threads}), dict[int, float]()
        self.plan, self.rows, self.folder = plan, rows, folder
        self.config, self.progress, self.stopped = Qwen3Config(), Progress(), False
        self.model = Qwen3(self.config)
        trained = [(name, weight) for name, weight in self.model.named_parameters() if weight.requires_grad]
        groups = [
            {"params": [weight for name, weight in trained if "embed" not in name], "weight_decay": WEIGHT_DECAY},
            {"params": [weight for name, weight in trained if "embed" in name], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98), fused=True)
        if (folder / "optimizer.pt").exists():
            self._load()
        self.compiled = torch.compile(self.model.model)

    def _load(self) -> None:
        state = torch.load(self.folder / "optimizer.pt", weights_only=True)
        self.model.load_state_dict(load_file(self.folder / "model.safetensors"))
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])

    def save(self) -> None:
        """Write weights and optimizer state; each file appears whole or not at all."""
        weights = {name: value.detach().contiguous() for name, value in self.model.state_dict().items()}
        save_file(weights, self.folder / "model.part", metadata={"format": "pt"})
        state = {"optimizer": self.optimizer.state_dict(), "progress": asdict(self.progress)}
        torch.save(state, self.folder / "optimizer.part")
        (self.folder / "model.part").replace(self.folder / "model.safetensors")
        (self.folder / "optimizer.part").replace(self.folder / "optimizer.pt")
        (self.folder / "progress.json").write_text(json.dumps(asdict(self.progress), indent=2) + "\n", encoding="utf-8")

    def step(self) -> float:
        """Do one update and return its loss."""
        began, plan, progress = time.monotonic(), self.plan, self.progress
        phase = plan.phase(progress)
        self.model.simulate_quantization(enabled=phase.quantized)
        batch = self.rows.batch(progress.step, phase.rows, phase.length, phase.cut)
        ids, weights = (torch.from_numpy(part) for part in batch)
        wanted = weights[:, 1:] > 0
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model.logits(self.compiled(ids[:, :-1])[wanted])
        losses = functional.cross_entropy(logits.float(), ids[:, 1:][wanted], reduction="none")
        weights = weights[:, 1:][wanted]
        ((losses * weights).sum() / weights.sum()).backward()
        self._update()
        progress.step += 1
        progress.tokens += phase.rows * phase.length
        progress.trained_tokens += int(wanted.sum())
        progress.loss = losses.mean().item()
        progress.seconds += time.monotonic() - began
        return progress.loss

    def _update(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = PEAK_RATE * self.plan.rate(self.progress)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _report(self, loss: float) -> None:
        """Print one line of the log."""
        progress, plan = self.progress, self.plan
        used, seconds, length = plan.used(progress), round(progress.seconds), plan.phase(progress).length
        threads = torch.get_num_threads()
        line = f"step {progress.step} loss {loss:.4f} used {used:.3f} s {seconds} row {length} threads {threads}"
        print(line, flush=True)

    def choose_threads(self, recent: float) -> None:
        """Try one thread and all threads now and then, and keep what is faster: on a busy machine fewer can be."""
        place = (self.progress.step - 1) % TRIAL_STEPS
        if place < len(self.threads):
            self.trials[self.threads[place]] = recent
        following = self.progress.step % TRIAL_STEPS
        is_trial = following < len(self.threads) or not self.trials
        chosen = (
            self.threads[following % len(self.threads)] if is_trial else min(self.trials, key=self.trials.__getitem__)
        )
        torch.set_num_threads(chosen)

    def stop(self, *_: object) -> None:
        """Let the training end after the running step, with a checkpoint."""
        self.stopped = True

    def run(self) -> None:
        """Train until the steps or the time are used up."""
        recent: list[float] = []
        signal.signal(signal.SIGTERM, self.stop)
        while self.plan.used(self.progress) < 1.0 and not self.stopped:
            began = time.monotonic()
            recent.append(self.step())
            self.choose_threads(time.monotonic() - began)
            if self.progress.step % LOG_STEPS == 0:
                self._report(sum(recent[-LOG_STEPS:]) / len(recent[-LOG_STEPS:]))
            if self.progress.step % CHECKPOINT_STEPS == 0:
                self.save()
        self.progress.loss = sum(recent[-100:]) / max(1, len(recent[-100:]))
        self.save()
        print("done", flush=True)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path(__file__).parent.parent / "corpus")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder written by demo_tokenizer")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=80.0)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer / "tokenizer.json"))
    write_tokenizer(tokenizer, arguments.output)
    dialogues = DialogueBuilder(split_corpus(read_corpus(arguments.corpus)))
    plan, rows = Plan(arguments.steps, arguments.minutes * 60), RowBuilder(dialogues, tokenizer, SEED)
    trainer = Trainer(plan, rows, arguments.output, arguments.threads)
    trainer.config.write(arguments.output / "config.json", tokenizer.token_to_id("<|im_end|>"))
    print(f"{sum(p.numel() for p in trainer.model.parameters()):,} parameters", flush=True)
    trainer.run()


if __name__ == "__main__":
    main()
