"""What the bundle holds and what is left out of it, as data that the spec reads."""

from __future__ import annotations

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
    "demo-model/README.md",
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
# What versions are read from, and what transformers insists on finding.
METADATA = ("xllamacpp", "huggingface-hub", "tokenizers", "regex", "requests", "tqdm", "numpy", "packaging", "filelock")

# Large or alien packages that something imports if they happen to be there.
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
    "cryptography",
    "hypothesis",
    "matplotlib",
    "mypy",
    "numpy.f2py",
    "numpy.testing",
    "pandas",
    "pytest",
    "scipy",
    "setuptools",
    "tensorflow",
    "tkinter",
    "torch",
)

# Parts of Qt and MLX that nothing here uses: QML, the virtual keyboard (GPL), embedded displays, headers, and
# translations of Qt's own modules.
LEFT_OUT_FILES = (
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
    "egldeviceintegrations",
    "libqeglfs",
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
    "vectorimageformats",
    "xllamacpp/include/",
)


def version() -> str:
    """Return the version that pyproject.toml states."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def is_left_out(path: str) -> bool:
    """Return whether a file of the analysis, by its path in the bundle, stays out."""
    slashed = "/" + path.replace("\\", "/")
    return any(part in slashed for part in LEFT_OUT_FILES)


def asset_files() -> list[tuple[str, str]]:
    """Return (source, folder in the bundle) for every asset that ships and is there."""
    found = []
    for name in SHIPPED_ASSETS:
        source = ROOT / "assets" / name
        files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
        found += [(str(file), file.parent.relative_to(ROOT).as_posix()) for file in files]
    return [*found, (str(ROOT / "LICENSE"), ".")]
