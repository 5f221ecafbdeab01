"""GGUF's numbers as data: value types of the metadata, and tensor types with their block sizes.

The figures are those of ggml (`ggml.h`, `ggml-common.h`) as the package `gguf` publishes them; a test compares.
"""

from __future__ import annotations

import msgspec


class TensorType(msgspec.Struct, frozen=True):
    """How tensors are stored: each `block_elements` weights of a row in `block_bytes` bytes."""

    name: str
    block_elements: int
    block_bytes: int


TENSOR_TYPES = {
    0: TensorType("F32", 1, 4),
    1: TensorType("F16", 1, 2),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    9: TensorType("Q8_1", 32, 40),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    15: TensorType("Q8_K", 256, 292),
    16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74),
    18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50),
    20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110),
    22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136),
    24: TensorType("I8", 1, 1),
    25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4),
    27: TensorType("I64", 1, 8),
    28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56),
    30: TensorType("BF16", 1, 2),
    34: TensorType("TQ1_0", 256, 54),
    35: TensorType("TQ2_0", 256, 66),
    39: TensorType("MXFP4", 32, 17),
    40: TensorType("NVFP4", 64, 36),
    41: TensorType("Q1_0", 128, 18),
}

STRING_VALUE = 8
ARRAY_VALUE = 9

SCALAR_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
"""Metadata value types to `struct` formats; GGUF is little-endian."""

UINT32_VALUE, INT32_VALUE, FLOAT32_VALUE = 4, 5, 6

FILE_TYPES: dict[int, tuple[str, frozenset[str]]] = {
    0: ("FP32", frozenset({"F32"})),
    1: ("FP16", frozenset({"F16"})),
    2: ("Q4_0", frozenset({"Q4_0"})),
    3: ("Q4_1", frozenset({"Q4_1"})),
    7: ("Q8_0", frozenset({"Q8_0"})),
    8: ("Q5_0", frozenset({"Q5_0"})),
    9: ("Q5_1", frozenset({"Q5_1"})),
    10: ("Q2_K", frozenset({"Q2_K", "Q3_K"})),
    11: ("Q3_K_S", frozenset({"Q3_K"})),
    12: ("Q3_K_M", frozenset({"Q3_K"})),
    13: ("Q3_K_L", frozenset({"Q3_K"})),
    14: ("Q4_K_S", frozenset({"Q4_K"})),
    15: ("Q4_K_M", frozenset({"Q4_K"})),
    16: ("Q5_K_S", frozenset({"Q5_K"})),
    17: ("Q5_K_M", frozenset({"Q5_K"})),
    18: ("Q6_K", frozenset({"Q6_K"})),
    19: ("IQ2_XXS", frozenset({"IQ2_XXS"})),
    20: ("IQ2_XS", frozenset({"IQ2_XS"})),
    21: ("Q2_K_S", frozenset({"Q2_K"})),
    22: ("IQ3_XS", frozenset({"IQ3_S", "IQ3_XXS"})),
    23: ("IQ3_XXS", frozenset({"IQ3_XXS"})),
    24: ("IQ1_S", frozenset({"IQ1_S"})),
    25: ("IQ4_NL", frozenset({"IQ4_NL"})),
    26: ("IQ3_S", frozenset({"IQ3_S"})),
    27: ("IQ3_M", frozenset({"IQ3_S"})),
    28: ("IQ2_S", frozenset({"IQ2_XS", "IQ2_S"})),
    29: ("IQ2_M", frozenset({"IQ2_S"})),
    30: ("IQ4_XS", frozenset({"IQ4_XS"})),
    31: ("IQ1_M", frozenset({"IQ1_M"})),
    32: ("BF16", frozenset({"BF16"})),
    36: ("TQ1_0", frozenset({"TQ1_0"})),
    37: ("TQ2_0", frozenset({"TQ2_0"})),
    38: ("MXFP4", frozenset({"MXFP4"})),
    39: ("NVFP4", frozenset({"NVFP4"})),
    40: ("Q1_0", frozenset({"Q1_0"})),
}
"""`general.file_type` to the name users know, and the tensor types that most weights of such a file have."""
