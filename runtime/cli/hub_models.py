"""Models on the Hub as commands name them: who asks, which form of a repository is meant, what its headers say."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial

from runtime.config.paths import process_environment
from runtime.hub.access import TOKEN_VARIABLES, HubAccess, Token, hub_access
from runtime.hub.api import HubApi
from runtime.hub.grouping import HubVariant, choose_variant, variants_of
from runtime.hub.keychain import system_keychain
from runtime.hub.listing import Repository
from runtime.hub.remote_model import read_remote_spec
from runtime.hub.transport import HubTransport
from runtime.library.defects import shown
from runtime.library.spec import ModelSpec
from runtime.values.errors import HubMissingError, KeychainError, ModelUnsupportedError
from runtime.values.model import ModelFormat

USUAL_VARIANTS = ("int4", "int8", "bf16", "fp16")
"""What is taken of several forms if nobody says which: the smallest that answers well, first."""
MOST_TITLES_SHOWN = 30

log = logging.getLogger("first-token")


def terminal_access(environment: Mapping[str, str]) -> HubAccess:
    """Return how to reach the Hub: with the token of the environment, or else that of the keychain if it opens.

    Raises:
        SettingsError: `HF_ENDPOINT` is no web address.
        InvalidRequestError: `HF_TOKEN` is no token.
    """
    is_stated = any(environment.get(name, "").strip() for name in TOKEN_VARIABLES)
    return hub_access(environment, None if is_stated else _kept_token())


def choose_form(repository: Repository, wanted: str | None, formats: Sequence[ModelFormat]) -> HubVariant:
    """Return the form of a model that is meant: the one called `wanted`, or the usual one in a format that runs here.

    Raises:
        HubMissingError: the repository has no form called that; the text has those that it has.
        ModelUnsupportedError: it holds no model that runs here.
    """
    forms = variants_of(repository.repo)
    name = shown(repository.repo.repo_id)
    if not forms:
        raise ModelUnsupportedError(
            f"{name} holds no model that can run here.", "Choose an MLX or GGUF version of the model."
        )
    if wanted is not None:
        chosen = choose_variant(forms, wanted)
        if chosen is None:
            titles = ", ".join(dict.fromkeys(form.scheme.title for form in forms[:MOST_TITLES_SHOWN]))
            raise HubMissingError(f"{name} has no form {shown(wanted)}.", f"Choose one of {titles}.")
        return chosen
    preferred = [form for model_format in formats for form in forms if form.format is model_format] or list(forms)
    usual = (choose_variant(preferred, one) for one in USUAL_VARIANTS)
    return next((form for form in usual if form is not None), preferred[0])


def describe_remote(repo_id: str, wanted: str | None, formats: Sequence[ModelFormat]) -> tuple[str, ModelSpec]:
    """Return a name for one form of a model on the Hub, and what its headers say.

    Raises:
        UserFacingError: there is no such model or form, or the Hub cannot be reached, is busy or refuses.
    """
    access = terminal_access(process_environment())
    repository = HubApi(access).repository(repo_id)
    form = choose_form(repository, wanted, formats)
    spec = read_remote_spec(partial(HubTransport, access), repository, form)
    return f"{repo_id}, {form.scheme.title}", spec


def _kept_token() -> Token | None:
    try:
        return system_keychain().token()
    except KeychainError as error:
        log.info("no token from the keychain: %s %s", error.what, error.detail)
        return None
