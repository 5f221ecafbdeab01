"""What the project promises about itself: its pins, its layout, the size of its parts, and what it names nowhere."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from packaging.markers import Environment, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
NOT_COMMITTED = re.compile(r"^(\.git|\.venv.*|\..*_cache|\.hypothesis|__pycache__|.*\.egg-info|build|dist|uv\.lock)$")
MODULE_LINES_LIMIT = 500
FUNCTION_LINES_LIMIT = 60
ENVIRONMENT_READER = "runtime/config/paths.py"
TRAINING_FOLDER = "assets/demo-model/training/"
SCRIPT_FOLDERS = (TRAINING_FOLDER, "assets/packaging/")
OWN_PACKAGES = {"runtime", "desktop", "tests"}
TRAINING_PACKAGES = {"torch"}  # only who trains the demo model anew installs it
NONDESCRIPT_NAMES = {"utils", "util", "common", "core", "misc", "helpers", "manager"}

# Written in two parts, so that this file does not name what it forbids.
REGISTRY_HOSTS = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "download." + "pytorch.org",
    "conda." + "anaconda.org",
    "registry." + "npmjs.org",
    "deb." + "debian.org",
)
BUILD_MACHINE_PATHS = ("/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/", "/Us" + "ers/")
INVENTED_USERS = ("you", "user", "me", "ada")
TYPE_EXEMPTIONS = ("type: " + "ignore", "mypy: " + "ignore", "no_type" + "_check")


def project_files() -> Iterator[Path]:
    """Yield every file that is committed, or would be with `git add .`."""
    yield from _files_below(ROOT)


def _files_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if NOT_COMMITTED.match(path.name):
            continue
        if path.is_dir():
            yield from _files_below(path)
        else:
            yield path


def python_files(*folders: str) -> list[Path]:
    """Return the Python files below `folders` of the project."""
    return [path for path in project_files() if path.suffix == ".py" and _relative(path).startswith(folders)]


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


class ProjectTable(msgspec.Struct, frozen=True, rename="kebab"):
    """What the package needs."""

    dependencies: list[str]
    optional_dependencies: dict[str, list[str]]


class BuildTable(msgspec.Struct, frozen=True):
    """What building it needs."""

    requires: list[str]


class UvTable(msgspec.Struct, frozen=True, rename="kebab"):
    """The pins."""

    constraint_dependencies: list[str]
    build_constraint_dependencies: list[str]


class ToolTable(msgspec.Struct, frozen=True):
    """The tools whose configuration is tested here."""

    uv: UvTable
    mypy: dict[str, object]


class ProjectFile(msgspec.Struct, frozen=True, rename="kebab"):
    """The part of pyproject.toml that is tested here."""

    project: ProjectTable
    build_system: BuildTable
    dependency_groups: dict[str, list[str]]
    tool: ToolTable


@cache
def project_file() -> ProjectFile:
    """Return pyproject.toml."""
    return msgspec.toml.decode((ROOT / "pyproject.toml").read_bytes(), type=ProjectFile)


def requirements(lines: list[str]) -> list[Requirement]:
    """Parse requirement lines."""
    return [Requirement(line) for line in lines]


def applies(requirement: Requirement, environment: Environment, extras: frozenset[str] = frozenset()) -> bool:
    """Tell whether the requirement's marker holds in an environment, with any of the extras or with none."""
    if requirement.marker is None:
        return True
    fields = {name: str(value) for name, value in environment.items()}
    return any(requirement.marker.evaluate({**fields, "extra": extra}) for extra in {"", *extras})


def environment_of(python_version: str) -> Environment:
    """Return this machine's marker environment with another Python."""
    return {**default_environment(), "python_version": python_version, "python_full_version": f"{python_version}.1"}


@pytest.mark.parametrize(
    ("python_version", "version", "admitted"),
    [
        ("3.11", "6.11.3", True),
        ("3.11", "6.12.0", False),
        ("3.11", "6.12.1", True),
        ("3.12", "6.12.0", True),
        ("3.13", "6.12.0", True),
    ],
)
def test_qt_release_that_loses_none_is_kept_from_old_python(python_version: str, version: str, admitted: bool) -> None:
    environment = environment_of(python_version)
    qt = [r for r in requirements(project_file().project.dependencies) if r.name == "pyside6-essentials"]
    in_force = [requirement for requirement in qt if applies(requirement, environment)]
    assert len(in_force) == 1
    assert in_force[0].specifier.contains(version) is admitted


@pytest.mark.parametrize("python_version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_pin_keeps_the_declared_bounds(python_version: str) -> None:
    environment = environment_of(python_version)
    pins = pinned_versions(environment)
    for requirement in declared_requirements():
        if applies(requirement, environment):
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), str(requirement)


def declared_requirements() -> list[Requirement]:
    """Return all that pyproject.toml asks for: runtime, extras, development."""
    content = project_file()
    lines = list(content.project.dependencies)
    for group in (*content.project.optional_dependencies.values(), *content.dependency_groups.values()):
        lines.extend(group)
    return requirements(lines)


def pinned_versions(environment: Environment) -> dict[str, str]:
    """Return each pinned distribution's one version in an environment."""
    pins: dict[str, str] = {}
    for constraint in requirements(project_file().tool.uv.constraint_dependencies):
        name = canonicalize_name(constraint.name)
        (specifier,) = constraint.specifier
        assert specifier.operator == "==", constraint
        if applies(constraint, environment):
            assert name not in pins, f"{name} is pinned twice"
            pins[name] = specifier.version
    return pins


def test_everything_installed_for_the_project_is_pinned_and_at_its_pin() -> None:
    pins = pinned_versions(default_environment())
    installed = {name: metadata.version(name) for name in reached_distributions()}
    assert {name: pins.get(name, "not pinned") for name in installed} == installed


def reached_distributions() -> set[str]:
    """Return what the declared requirements bring, directly and indirectly, on this machine."""
    environment = default_environment()
    queue = [requirement for requirement in declared_requirements() if applies(requirement, environment)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        requirement = queue.pop()
        extras = frozenset(requirement.extras)
        node = (str(canonicalize_name(requirement.name)), extras)
        if node not in seen:
            seen.add(node)
            needed = requirements(metadata.requires(requirement.name) or [])
            queue.extend(r for r in needed if applies(r, environment, extras))
    return {name for name, _ in seen}


def test_every_imported_package_is_declared() -> None:
    content = project_file().project
    shipped = requirements([*content.dependencies, *chain(*content.optional_dependencies.values())])
    assert undeclared_packages(python_files("runtime/", "desktop/"), shipped) == set()
    assert undeclared_packages(python_files("tests/", *SCRIPT_FOLDERS), declared_requirements()) == set()


def test_what_runs_without_mlx_is_declared_for_every_system() -> None:
    declared = requirements(project_file().project.dependencies)
    linux = {"sys_platform": "linux", "platform_machine": "x86_64", "extra": ""}
    everywhere = [one for one in declared if one.marker is None or one.marker.evaluate(linux)]
    without_mlx = [path for path in python_files("runtime/", "desktop/") if not path.name.startswith("mlx_")]
    assert undeclared_packages(without_mlx, everywhere) == set()


def undeclared_packages(paths: list[Path], declared: list[Requirement]) -> set[str]:
    """Return the packages that the modules import and none of the requirements brings."""
    names = {canonicalize_name(requirement.name) for requirement in declared}
    installed = metadata.packages_distributions()
    packages = set[str]().union(*map(imported_packages, paths)) - OWN_PACKAGES - TRAINING_PACKAGES
    return {name for name in packages if names.isdisjoint(map(canonicalize_name, installed.get(name, ())))}


def imported_packages(path: Path) -> set[str]:
    """Return the top-level packages that a module imports, but for the standard library and our own scripts."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                imported.update(alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                imported.add(module.partition(".")[0])
    scripts = {script.stem for folder in SCRIPT_FOLDERS for script in (ROOT / folder).glob("*.py")}
    return imported - sys.stdlib_module_names - scripts


def test_the_build_is_pinned_too() -> None:
    pinned = {r.name for r in requirements(project_file().tool.uv.build_constraint_dependencies)}
    assert {r.name for r in requirements(project_file().build_system.requires)} <= pinned


def test_no_file_names_a_package_registry_or_a_folder_of_the_machine_it_was_made_on() -> None:
    users = "|".join(INVENTED_USERS)
    paths = rf"(?<![\w.$}})\]/-])(?:{'|'.join(map(re.escape, BUILD_MACHINE_PATHS))})(?!(?:{users})\b)\w"
    forbidden = re.compile("|".join([*map(re.escape, REGISTRY_HOSTS), paths]).encode())
    found = [
        (_relative(path), match.group()) for path in project_files() for match in forbidden.finditer(path.read_bytes())
    ]
    assert found == []


def test_modules_and_functions_stay_small() -> None:
    too_long = []
    for path in python_files(""):
        source = path.read_text(encoding="utf-8")
        if (lines := source.count("\n")) > MODULE_LINES_LIMIT:
            too_long.append(f"{_relative(path)}: {lines} lines")
        too_long.extend(f"{_relative(path)}: {name} has {count} lines" for name, count in long_functions(source))
    assert too_long == []


def long_functions(source: str) -> Iterator[tuple[str, int]]:
    """Yield name and length of each function that is too long."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_LIMIT:
                yield node.name, lines


def test_only_one_module_reads_the_environment() -> None:
    readers = [_relative(path) for path in python_files("runtime/", "desktop/") if reads_environment(path)]
    assert readers == [ENVIRONMENT_READER]


def reads_environment(path: Path) -> bool:
    """Tell whether a module uses `os.environ`, `os.getenv` or their kin."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr=attribute) if attribute in names:
                return True
            case ast.ImportFrom(module="os", names=imported) if names & {alias.name for alias in imported}:
                return True
    return False


def test_packages_hold_a_docstring_and_no_code() -> None:
    for path in python_files("runtime/", "desktop/"):
        if path.name == "__init__.py":
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert [type(node) for node in body] == [ast.Expr], _relative(path)
            assert ast.get_docstring(ast.Module(body, [])), _relative(path)


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in python_files("runtime/", "desktop/", "tests/")}
    assert [_relative(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_names_say_what_a_module_is_about() -> None:
    names = {part for path in python_files("runtime/", "desktop/", "tests/") for part in (path.stem, path.parent.name)}
    assert names & NONDESCRIPT_NAMES == set()


def test_types_are_checked_without_exemption() -> None:
    assert "overrides" not in project_file().tool.mypy
    sources = {path: path.read_text(encoding="utf-8") for path in python_files("")}
    assert [_relative(path) for path, text in sources.items() if any(word in text for word in TYPE_EXEMPTIONS)] == []


def test_readme_maps_every_module() -> None:
    mapped = mapped_modules()
    modules = {_relative(path) for path in python_files("runtime/", "desktop/") if path.name != "__init__.py"}
    assert sorted(modules - mapped) == []
    assert sorted(mapped - modules) == []


def mapped_modules() -> set[str]:
    """Return the modules that README's section "Map of the code" names, one in the first cell of each row."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Map of the code$(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    assert section is not None, "README.md has no section 'Map of the code'"
    return set(re.findall(r"^\| `((?:runtime|desktop)/[\w/]+\.py)` \|", section.group(1), re.MULTILINE))
