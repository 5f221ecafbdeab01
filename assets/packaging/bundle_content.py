"""What the bundle holds and what is left out of it, as data that the spec reads."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP_NAME = "First Token"
EXECUTABLE_NAME = "first-token"
BUNDLE_ID = "org.firsttoken.FirstToken"
ENTRY = ROOT / "desktop" / "__main__.py"

# What ships of assets/: everything the app reads, nothing that only builds it.
SHIPPED_ASSETS = (
    "benchmarks",
    "catalog.json",
    "fonts",
    "icons",
    "quality",
    "release-feed.json",
    "demo-model/README.md",
    "demo-model/SHA256SUMS",
    "demo-model/demo-q4_0.gguf",
    "demo-model/demo-q8_0.gguf",
    "demo-model/mlx-int4",
    "demo-model/mlx-int8",
)

# Imported by name at run time, so that no import statement leads to them: the roles and adapters of this app, and the
# modules that MLX and mlx-lm look up (a model's architecture, a tool parser, a chat template).
OWN_HIDDEN_PACKAGES = ("desktop", "runtime", "xllamacpp")
MLX_HIDDEN_MODULES = (
    "mlx._reprlib_fix",
    "mlx.__array_api_info",
    "mlx.nn",
    "mlx.optimizers",
    "mlx.utils",
    "mlx_lm.tuner.utils",
)
MLX_HIDDEN_PACKAGES = ("mlx_lm.models", "mlx_lm.tool_parsers", "mlx_lm.chat_templates")
MLX_METADATA = ("mlx-lm",)
MLX_KERNELS = "mlx/lib/mlx.metallib"
MLX_KERNELS_LINK = "mlx.metallib"
"""MLX looks for its kernels beside its own library, and that is loaded through a link at the top of the bundle, too."""
# What versions are read from, and what transformers insists on finding.
METADATA = ("xllamacpp", "huggingface-hub", "tokenizers", "regex", "requests", "tqdm", "numpy", "packaging", "filelock")

# Packages that something imports if they happen to be there. `readline` is GPL where it is GNU's. Xet's downloads,
# SentencePiece and protobuf are never called: downloads and tokenizers are this app's own.
EXCLUDED_MODULES = (
    "IPython",
    "PIL",
    "PySide6.QtDesigner",
    "PySide6.QtHelp",
    "PySide6.QtOpenGL",
    "PySide6.QtOpenGLWidgets",
    "PySide6.QtQml",
    "PySide6.QtQuick",
    "PySide6.QtQuickWidgets",
    "PySide6.QtSql",
    "PySide6.QtTest",
    "PySide6.QtUiTools",
    "google",
    "hf_xet",
    "hypothesis",
    "matplotlib",
    "mypy",
    "numpy.f2py",
    "numpy.testing",
    "pandas",
    "pytest",
    "pytest_asyncio",
    "pytest_timeout",
    "readline",
    "scipy",
    "sentencepiece",
    "setuptools",
    "tensorflow",
    "tkinter",
    "torch",
    "transformers.cli",
    "transformers.pipelines",
)
# mlx-lm imports transformers for two base classes; of its 400 model families these are what that import reaches.
KEPT_TRANSFORMERS_MODELS = ("auto", "encoder_decoder")

# Parts of Qt and MLX that nothing here uses: QML, the virtual keyboard (GPL), embedded displays, TLS, headers, and
# translations of Qt's own modules; the GTK theme, which would bring all of GTK along.
LEFT_OUT_FILES = (
    "Qt6EglF",
    "Qt6Lottie",
    "Qt6Pdf",
    "Qt6Qml",
    "Qt6Quick",
    "Qt6VirtualKeyboard",
    "Qt6WaylandCompositor",
    "QtQml.framework",
    "QtQuick.framework",
    "QtVirtualKeyboard.framework",
    "QtPdf.framework",
    "/PySide6/Qt/translations/",
    "/PySide6/translations/",
    "/qmltooling/",
    "/libcudart",
    "/libreadline",
    "egldeviceintegrations",
    "libqeglfs",
    "libqgtk3",
    "libqlinuxfb",
    "libqminimal",
    "libqpdf",
    "libqtga",
    "libqtiff",
    "libqtvirtualkeyboard",
    "libqvkkhr",
    "libqvnc",
    "libqwbmp",
    "mlx/include/",
    "mlx/share/",
    "plugins/generic/",
    "plugins/networkinformation/",
    "plugins/tls/",
    "vectorimageformats",
    "xllamacpp/include/",
)
# Of a distribution's metadata: its version and its plug-ins, not where it was installed from.
METADATA_FILE = re.compile(r"/[^/]+\.dist-info/")
METADATA_KEPT = ("/METADATA", "/entry_points.txt")
OWN_METADATA = "/first_token-"


def version() -> str:
    """Return the version that pyproject.toml states."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def excluded_modules() -> list[str]:
    """Return every module that stays out, by name."""
    excluded = list(EXCLUDED_MODULES)
    found = importlib.util.find_spec("transformers")
    for folder in found.submodule_search_locations or () if found is not None else ():
        families = (path.name for path in sorted((Path(folder) / "models").iterdir()) if path.is_dir())
        excluded += [f"transformers.models.{name}" for name in families if name not in KEPT_TRANSFORMERS_MODELS]
    return excluded


def is_left_out(path: str) -> bool:
    """Return whether a file of the analysis, by its path in the bundle, stays out."""
    slashed = "/" + path.replace("\\", "/")
    if METADATA_FILE.match(slashed):
        return not slashed.endswith(METADATA_KEPT) or OWN_METADATA in slashed
    return any(part in slashed for part in LEFT_OUT_FILES)


def asset_files() -> list[tuple[str, str]]:
    """Return (source, folder in the bundle) for every asset that ships and is there."""
    found = []
    for name in SHIPPED_ASSETS:
        source = ROOT / "assets" / name
        files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
        found += [(str(file), file.parent.relative_to(ROOT).as_posix()) for file in files]
    return [*found, (str(ROOT / "LICENSE"), ".")]


def write_own_metadata(folder: Path) -> tuple[str, str]:
    """Write the app's metadata into `folder`: the installed one says where its sources lie. Return source and place."""
    file = folder / "METADATA"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"Metadata-Version: 2.4\nName: first-token\nVersion: {version()}\n", encoding="utf-8")
    return str(file), f"first_token-{version()}.dist-info"
