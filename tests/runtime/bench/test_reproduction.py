"""The command line of a run: the options it has lead to the same plan."""

from __future__ import annotations

import shlex

import msgspec

from runtime.bench.plan import BenchPlan
from runtime.bench.reproduction import command_line
from runtime.bench.workload import CacheState, ChatReply, Decode, Prefill, Serving
from runtime.cli.app import build_parser
from runtime.cli.bench_options import plan_from
from runtime.client.base import ModelToLoad
from runtime.config.paths import app_paths, process_environment
from runtime.values.model import EngineName, LoadOptions

PATHS = app_paths(process_environment())
WORKLOADS = (Prefill(64, 100), Decode(8), Serving(8, 8, 2), ChatReply(4, CacheState.CACHED))


def demo(variant: str, file: str, engine: EngineName) -> ModelToLoad:
    options = LoadOptions(model_name=f"demo:{variant}", is_demo=True)
    return ModelToLoad(engine=engine, path=str(PATHS.demo_model / file), options=options)


def read_back(plan: BenchPlan) -> BenchPlan:
    program, *words = shlex.split(command_line(plan))
    assert program == "first-token"
    return plan_from(build_parser().parse_args(words), PATHS)


def test_the_command_measures_the_same_again() -> None:
    models = (demo("int4", "demo-q4_0.gguf", EngineName.LLAMACPP), demo("int8", "demo-q8_0.gguf", EngineName.LLAMACPP))
    plan = BenchPlan(models=models, workloads=WORKLOADS, repetitions=3, seed=7)

    assert read_back(plan) == plan
    assert "demo:int4 demo:int8" in command_line(plan)


def test_models_of_two_engines_are_named_by_their_paths() -> None:
    models = (demo("int4", "demo-q4_0.gguf", EngineName.LLAMACPP), demo("int4", "mlx-int4", EngineName.MLX))
    again = read_back(BenchPlan(models=models, workloads=WORKLOADS))

    assert [(model.engine, model.path) for model in again.models] == [(model.engine, model.path) for model in models]


def test_options_of_loading_are_part_of_it() -> None:
    model = demo("int4", "demo-q4_0.gguf", EngineName.LLAMACPP)
    options = msgspec.structs.replace(model.options, context_tokens=512, threads=2)
    plan = BenchPlan(models=(msgspec.structs.replace(model, options=options),), workloads=WORKLOADS)

    assert read_back(plan).models[0].options == options
