"""What a llama-server that has just been started is to keep in memory, and which files on disk are of use to it."""

from __future__ import annotations

from pathlib import Path

from runtime.engine.llamacpp_conversations import Conversations
from runtime.engine.llamacpp_server import LlamaServer, ServerPlan
from runtime.engine.llamacpp_slot_disk import SlotDisk
from runtime.engine.llamacpp_slots import Slots
from runtime.kv_store.folder import KvFolder
from runtime.kv_store.model_content import model_key
from runtime.kv_store.record import KvScope
from runtime.kv_store.store import KvStore
from runtime.library.fit import kept_windows_bytes, kv_cache_bytes
from runtime.library.overhead import Evaluation
from runtime.library.spec import ModelSpec
from runtime.values.model import KvStoreOptions, LoadedModel, LoadOptions

MIB = 1 << 20
STEP_TOKENS = 256


def make_slot_folder(options: KvStoreOptions | None) -> Path | None:
    """Make the folder that slots are saved in, which the server wants to be there; None where there is to be none."""
    if options is None:
        return None
    folder = KvFolder(Path(options.folder))
    try:
        folder.make()
    except OSError:
        return None
    return folder.path


def open_conversations(
    server: LlamaServer,
    plan: ServerPlan,
    spec: ModelSpec,
    loaded: LoadedModel,
    options: LoadOptions,
    program: str | None,
) -> Conversations:
    """Return the account of a server that has just been started; `program` is a native one's."""

    def held_bytes(tokens: int) -> int:
        whole = max(1, -(-tokens // STEP_TOKENS)) * STEP_TOKENS  # kv_cache_bytes rounds up, a saved state does not
        return kv_cache_bytes(spec, whole, plan.kv_cache_bits) * tokens // whole + spec.recurrent_state_bytes

    def file_bytes(tokens: int) -> int:
        windows_bytes = kept_windows_bytes(spec, plan.context_tokens, plan.kv_cache_bits, Evaluation(plan.batch_tokens))
        return held_bytes(tokens) + plan.context_checkpoints * (spec.recurrent_state_bytes + windows_bytes)

    slots = Slots(plan.parallel_requests, plan.prompt_cache_mib * MIB, held_bytes)
    scope = _scope(server, plan, loaded, program)
    disk = None
    if options.kv_store is not None and plan.slot_folder is not None and scope is not None:
        folder = KvFolder(plan.slot_folder)
        reader, writer = (KvStore(folder, scope, options.kv_store.budget_bytes) for _ in range(2))
        disk = SlotDisk(server.client, reader, writer, plan.context_tokens, file_bytes, options.kv_store)
    return Conversations(server.client, slots, disk, held_bytes)


def _scope(server: LlamaServer, plan: ServerPlan, loaded: LoadedModel, program: str | None) -> KvScope | None:
    """Return for what a slot file is good: this model, this server and, of a native one, just this build of it.

    And for so many slots, which the server lays its KV cache out for. Not for so many threads: their number follows the
    load on the machine. None if the files cannot be read.
    """
    try:
        key = model_key(plan.model_path)
        build = "" if program is None else _build(Path(program))
    except OSError:
        return None
    settings = {
        "kv_cache_bits": plan.kv_cache_bits,
        "slots": plan.parallel_requests,
        "gpus": server.gpus if plan.gpu_layers != 0 else (),
        "gpu_layers": plan.gpu_layers,
        "build": build,
    }
    return KvScope(
        model_key=key,
        engine=loaded.engine.value,
        engine_version=loaded.engine_version,
        settings=repr(settings),
        model_name=loaded.name,
    )


def _build(program: Path) -> str:
    status = program.stat()
    return f"{status.st_size}, {status.st_mtime_ns}"
