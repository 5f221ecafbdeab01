"""What the names of repositories and GGUF files say: which model it is, and how its weights are stored.

Names are what people have to go by before anything is fetched; what is shown of a chosen variant afterwards comes from
its headers. A name that says nothing gives the scheme "unknown", never a guess.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from runtime.values.model import ModelFormat


class Recipe(StrEnum):
    """How a quantized form was made, beyond rounding to the nearest value."""

    AWQ = "AWQ"
    GPTQ = "GPTQ"
    DWQ = "DWQ"
    QAT = "QAT"
    OPTIQ = "OptiQ"
    IMATRIX = "imatrix"
    UNSLOTH = "Unsloth dynamic"


RECIPE_MEANINGS = {
    Recipe.AWQ: "weights that matter most for the activations are scaled before rounding",
    Recipe.GPTQ: "each rounding error is made up for by the weights that follow",
    Recipe.DWQ: "scales are trained until the answers match the original's",
    Recipe.QAT: "trained with rounding in mind by its publisher",
    Recipe.OPTIQ: "the width of each layer was chosen by measurement",
    Recipe.IMATRIX: "rounding is weighted by how much each value matters on sample text",
    Recipe.UNSLOTH: "the width of each tensor was chosen by its sensitivity",
}


class Scheme(msgspec.Struct, frozen=True):
    """How the weights are stored, as a name says.

    Attributes:
        name: INT4, Q4_K_M, MXFP4, BF16 …; "unknown" if the name does not tell.
        bits: bits of most weights, scales not counted; 0 if unknown.
        recipe: how it was quantized, where the name tells.
        rest: the scheme of the other weights where the name gives two; "mixed" where it only says that.
    """

    name: str
    bits: int
    recipe: Recipe | None = None
    rest: str = ""

    @property
    def title(self) -> str:
        """The scheme as people see it: "INT4 (DWQ)", "MXFP4 + INT8", "INT4 mixed"."""
        rest = f" {self.rest}" if self.rest == "mixed" else f" + {self.rest}" if self.rest else ""
        return f"{self.name}{rest}{f' ({self.recipe})' if self.recipe else ''}"


UNKNOWN = Scheme("unknown", 0)


class Named(msgspec.Struct, frozen=True):
    """A name taken apart: the model's own, and the scheme."""

    model: str
    scheme: Scheme


FLOATS = {"bf16": ("BF16", 16), "fp16": ("FP16", 16), "f16": ("FP16", 16), "fp32": ("FP32", 32), "f32": ("FP32", 32)}
FLOATS |= {"fp8": ("FP8", 8), "float16": ("FP16", 16), "bfloat16": ("BF16", 16)}
MICROSCALED = {"mxfp4": ("MXFP4", 4), "nvfp4": ("NVFP4", 4), "mxfp8": ("MXFP8", 8), "mxfp6": ("MXFP6", 6)}
RECIPES = {"awq": Recipe.AWQ, "gptq": Recipe.GPTQ, "dwq": Recipe.DWQ, "qat": Recipe.QAT, "optiq": Recipe.OPTIQ}
FILLERS = {
    "mlx",
    "gguf",
    "hf",
    "mlxlm",
    "unquantized",
    "quantized",
    "g32",
    "g64",
    "g128",
    "gs32",
    "gs64",
    "gs128",
    "hi",
}

REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
SEPARATOR = r"[-_. ]"
WIDTH = r"(?:int|uint|q|w)?(?P<bits>[2-8])[-_]?bits?|int(?P<int>[2-8])|q(?P<q>[2-8])(?![._]\w)"
SUFFIX = re.compile(
    rf"{SEPARATOR}(?:(?P<mixed>mixed(?:[-_](?P<low>[2-8])[-_](?P<high>[2-8])(?:[-_]?bits?)?)?)"
    rf"|(?P<dated>dwq)[-_]?(?:\d{{4,8}}|v\d)?|(?P<w>w(?P<weights>[48])a16)|{WIDTH}|q4[-_](?P<block>[01])"
    r"|(?P<word>[a-z0-9]+))$",
    re.IGNORECASE,
)
GGUF_TYPE = re.compile(
    r"(?:^|[-_. /])(?P<dynamic>UD[-_])?(?P<imatrix>i1[-_])?"
    r"(?P<type>IQ[1-4]_(?:XXS|XS|NL|S|M)|Q[2-8]_K(?:_(?:XXL|XL|XXS|XS|S|M|L))?|Q[458]_[01](?:_(?:4_4|4_8|8_8))?|Q1_0"
    r"|TQ[12]_0|BF16|FP?16|FP?32|MXFP4(?:_MOE)?|NVFP4|MXFP8|Q[2-8])(?=$|[-_. /])",
    re.IGNORECASE,
)
GGUF_PART = re.compile(r"-\d{5}-of-\d{5}$")
PUBLISHER_PREFIX = re.compile(r"^(?:meta-)(?=llama)", re.IGNORECASE)


def is_repo_id(text: str) -> bool:
    """Return whether `text` has the form of a repository's name, publisher/name."""
    return REPO_ID.fullmatch(text) is not None and ".." not in text and "--" not in text and not text.endswith(".")


def taken_apart(repo_id: str) -> Named:
    """Return the model's own name and the scheme that a repository's name says, its publisher left out.

    Reads from the end, as long as what stands there is about storage: "Qwen3-8B-4bit-DWQ-053125" is the model Qwen3-8B.
    """
    name = repo_id.rpartition("/")[2]
    said = _Said()
    while (found := SUFFIX.search(name)) and said.understands(found):
        name = name[: found.start()]
    return Named(name, said.scheme())


def gguf_scheme(path: str) -> Scheme:
    """Return the scheme that a GGUF file's path says; the type nearest to the end counts."""
    stem = GGUF_PART.sub("", path.removesuffix(".gguf").removesuffix(".GGUF"))
    found = list(GGUF_TYPE.finditer(stem))
    if not found:
        return UNKNOWN
    last = found[-1]
    name = last["type"].upper()
    name = {"F16": "FP16", "F32": "FP32"}.get(name, name)
    digits = re.search(r"\d+", name)
    recipe = Recipe.UNSLOTH if last["dynamic"] else Recipe.IMATRIX if last["imatrix"] else None
    return Scheme(name, int(digits[0]) if digits else 0, recipe or (Recipe.QAT if _says_qat(stem) else None))


def parameters_said(name: str) -> int | None:
    """Return the number of parameters that a model's name says: "8B", "0.6B", "270m", "8x7B" (all experts)."""
    found = re.search(r"(?:^|[-_. ])(?:(\d{1,3})x)?(\d{1,4}(?:\.\d{1,3})?)([bm])(?=$|[-_. ])", name, re.IGNORECASE)
    if found is None:
        return None
    scale = 1e9 if found[3].lower() == "b" else 1e6
    return round(int(found[1] or 1) * float(found[2]) * scale)


def model_key(name: str) -> str:
    """Return what spellings of one model's name have in common."""
    return re.sub(r"[-_. ]+", "-", PUBLISHER_PREFIX.sub("", name)).casefold()


def wanted_scheme(wanted: str, scheme: Scheme, model_format: ModelFormat) -> int | None:
    """Return how well `scheme` is what somebody calls `wanted`, 0 being best; None if it is not.

    A name or title is meant literally. "int4" and "int8" mean the width, in either format: of GGUF types, the one that
    most people choose.
    """
    text = wanted.strip().casefold()
    if text in {scheme.title.casefold(), scheme.name.casefold()}:
        return 0 if scheme.recipe is None and not scheme.rest else 1
    ranked = WIDTH_CHOICES.get((text.replace("-", "").replace("bit", "").removeprefix("int"), model_format), ())
    return 2 + ranked.index(scheme.name) if scheme.name in ranked else None


WIDTH_CHOICES = {
    ("4", ModelFormat.MLX): ("INT4", "MXFP4", "NVFP4"),
    ("8", ModelFormat.MLX): ("INT8", "MXFP8"),
    ("4", ModelFormat.GGUF): ("Q4_K_M", "Q4_K_XL", "Q4_K_S", "Q4_K_L", "Q4_0", "Q4_1", "IQ4_XS", "IQ4_NL", "MXFP4"),
    ("8", ModelFormat.GGUF): ("Q8_0", "Q8_K_XL"),
}
"""Widths to the schemes that people mean by them, best first."""


class _Said:
    """What the end of a name has said so far."""

    def __init__(self) -> None:
        self._names: list[tuple[str, int]] = []
        self._recipe: Recipe | None = None
        self._mixed = False

    def understands(self, found: re.Match[str]) -> bool:
        """Take in one more word; tell whether it is about storage."""
        if found["mixed"]:
            self._mixed = True
            if found["low"]:
                self._add(f"INT{found['low']}", int(found["low"]))
            return True
        if found["dated"]:
            self._recipe = Recipe.DWQ
            return True
        bits = found["bits"] or found["int"] or found["q"] or found["weights"]
        if bits or found["block"]:
            self._add(f"INT{bits}" if bits else f"Q4_{found['block']}", int(bits or 4))
            return True
        return self._is_known(found["word"].lower())

    def scheme(self) -> Scheme:
        """Return what all of it means. Words come from the end, so the last one read was written first."""
        if not self._names:
            return Scheme(UNKNOWN.name, 0, self._recipe)
        name, bits = self._names[-1]
        others = [other for other, _ in self._names if other != name]
        return Scheme(name, bits, self._recipe, "mixed" if self._mixed else others[0] if others else "")

    def _is_known(self, word: str) -> bool:
        if word in RECIPES:
            self._recipe = RECIPES[word]
            return True
        if word in FLOATS or word in MICROSCALED:
            self._add(*(FLOATS | MICROSCALED)[word])
            return True
        return word in FILLERS

    def _add(self, name: str, bits: int) -> None:
        self._names.append((name, bits))


def _says_qat(text: str) -> bool:
    return re.search(r"(?:^|[-_. ])qat(?=$|[-_. /])", text, re.IGNORECASE) is not None
