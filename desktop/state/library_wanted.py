"""What the picker is asked to show: words, size, quantization, license, order; the curated list is filtered here."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, StrEnum

import msgspec

from desktop.state.library_offers import OfferedModel, OfferedVariant
from runtime.hub.naming import wanted_scheme


class SizeRange(Enum):
    """Sizes by what they need: from machines with little memory to workstations. Numbers of parameters."""

    ANY = (None, None)
    SMALL = (None, 4_000_000_000)
    MEDIUM = (4_000_000_000, 10_000_000_000)
    LARGE = (10_000_000_000, 40_000_000_000)
    HUGE = (40_000_000_000, None)

    @property
    def least(self) -> int | None:
        """The smallest number of parameters; None: any."""
        least: int | None = self.value[0]
        return least

    @property
    def most(self) -> int | None:
        """The largest number of parameters; None: any."""
        most: int | None = self.value[1]
        return most


class Order(StrEnum):
    """What comes first on the Hub, by the Hub's own names."""

    DOWNLOADS = "downloads"
    LIKES = "likes"
    TRENDING = "trending_score"
    RECENT = "last_modified"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to show.

    Attributes:
        text: words of the name.
        size: number of parameters.
        scheme: only what can be had in this scheme ("int4", "MXFP4"); None: any.
        license: only what has this license ("apache-2.0"); None: any.
        order: what comes first on the Hub.
    """

    text: str = ""
    size: SizeRange = SizeRange.ANY
    scheme: str | None = None
    license: str | None = None
    order: Order = Order.DOWNLOADS

    @property
    def asks_hub(self) -> bool:
        """Whether it says enough to bother the Hub with."""
        return bool(self.text.strip())


def matching_offers(models: Iterable[OfferedModel], wanted: Wanted) -> tuple[OfferedModel, ...]:
    """Return those of `models` that are wanted, those with all words in their name first; case does not matter."""
    words = wanted.text.casefold().split()
    found = [model for model in models if _is_wanted(model, wanted, words)]
    return tuple(sorted(found, key=lambda model: not all(word in model.name.casefold() for word in words)))


def wanted_variants(model: OfferedModel, scheme: str | None) -> tuple[OfferedVariant, ...]:
    """Return the variants in `scheme`; all for None."""
    return tuple(variant for variant in model.variants if scheme is None or _has_scheme(variant, scheme))


def _is_wanted(model: OfferedModel, wanted: Wanted, words: list[str]) -> bool:
    about = " ".join(
        (model.name, model.publisher, model.good_at, model.license, *(variant.title for variant in model.variants))
    ).casefold()
    return (
        all(word in about for word in words)
        and _has_size(model.parameters, wanted.size)
        and (wanted.license is None or model.license.casefold() == wanted.license)
        and bool(wanted_variants(model, wanted.scheme))
    )


def _has_size(parameters: int | None, size: SizeRange) -> bool:
    if size is SizeRange.ANY:
        return True
    return parameters is not None and (size.least or 0) <= parameters <= (size.most or parameters)


def _has_scheme(variant: OfferedVariant, scheme: str) -> bool:
    return wanted_scheme(scheme, variant.form.scheme, variant.form.format) is not None
