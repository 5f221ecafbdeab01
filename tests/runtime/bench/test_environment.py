"""The environment of a row: everything that the device module knows, and the versions."""

from __future__ import annotations

import msgspec

from runtime.bench.environment import Environment, environment_of, read_environment
from runtime.metrics.device import read_device


def test_the_environment_is_that_of_the_device() -> None:
    device = read_device()
    environment = environment_of(device)

    for field in set(Environment.__struct_fields__) & set(device.__struct_fields__) - {"os"}:
        assert getattr(environment, field) == getattr(device, field), field
    assert device.os_version in environment.os
    assert environment.app_version
    assert environment.python_version.startswith("3.")


def test_systems_are_named_as_their_users_know_them() -> None:
    device = read_device()
    mac = msgspec.structs.replace(device, os="macOS", os_version="26.1")
    linux = msgspec.structs.replace(device, os="Linux", os_version="Debian GNU/Linux 13 (trixie)")

    assert environment_of(mac).os == "macOS 26.1"
    assert environment_of(linux).os == "Debian GNU/Linux 13 (trixie)"


def test_an_environment_survives_json() -> None:
    environment = read_environment()

    assert msgspec.json.decode(msgspec.json.encode(environment), type=Environment) == environment
