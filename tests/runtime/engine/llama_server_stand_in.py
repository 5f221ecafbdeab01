"""Stands in for a native `llama-server`: takes its arguments and its key, and runs xllamacpp's server in this process.

A real server behind a real process boundary; only who built it differs. Not imported by the tests: they execute it.
"""

from __future__ import annotations

import argparse
import os
import time
from importlib import import_module

NAMES = {
    "ctx_size": "n_ctx",
    "parallel": "n_parallel",
    "batch_size": "n_batch",
    "ubatch_size": "n_ubatch",
    "port": "port",
    "n_gpu_layers": "n_gpu_layers",
    "chat_template": "chat_template",
}
KV_TYPES = {"q8_0": "GGML_TYPE_Q8_0", "q4_0": "GGML_TYPE_Q4_0"}


def parsed_arguments() -> argparse.Namespace:
    """Parse what `llama-server` takes; like it, refuse what it does not know."""
    parser = argparse.ArgumentParser()
    for name in ("model", "host", "chat-template", "cache-type-k", "cache-type-v", "flash-attn", "slot-save-path"):
        parser.add_argument(f"--{name}")
    for name in ("port", "ctx-size", "parallel", "threads", "threads-batch", "batch-size", "ubatch-size"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--n-gpu-layers", type=int)
    return parser.parse_args()


def serve(arguments: argparse.Namespace) -> None:
    """Run the server until this process is ended."""
    library = import_module("xllamacpp")
    params = library.CommonParams()
    params.model.path = arguments.model
    params.hostnames = [arguments.host]
    params.cpuparams.n_threads = arguments.threads
    params.cpuparams_batch.n_threads = arguments.threads_batch
    for option, name in NAMES.items():
        if (value := getattr(arguments, option)) is not None:
            setattr(params, name, value)
    if arguments.cache_type_k is not None:
        params.cache_type_k = getattr(library.ggml_type, KV_TYPES[arguments.cache_type_k])
        params.cache_type_v = getattr(library.ggml_type, KV_TYPES[arguments.cache_type_v])
    if arguments.slot_save_path is not None:
        params.slot_save_path = arguments.slot_save_path + os.sep
    params.cache_ram_mib = int(os.environ["LLAMA_ARG_CACHE_RAM"])
    params.cache_idle_slots = os.environ["LLAMA_ARG_CACHE_IDLE_SLOTS"] != "0"
    params.n_ctx_checkpoints = int(os.environ["LLAMA_ARG_CTX_CHECKPOINTS"])
    params.use_jinja = os.environ["LLAMA_ARG_JINJA"] != "0"
    params.api_keys = [os.environ["LLAMA_API_KEY"]]
    params.ui = False
    server = library.Server(params)
    while server:
        time.sleep(1)


if __name__ == "__main__":
    serve(parsed_arguments())
