"""The loaded model's chat template, compiled when the model is loaded, so that the first message does not wait for it.

A template that is missing or broken does not keep a model from loading: plain text needs none. It fails each chat.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runtime.engine.chat_template import ChatTemplate
from runtime.library.spec import ModelSpec
from runtime.values.errors import ChatTemplateError
from runtime.values.prompt import Message


class ChatRenderer:
    """Renders conversations for one model."""

    def __init__(self, spec: ModelSpec) -> None:
        self._template: ChatTemplate | ChatTemplateError
        try:
            self._template = ChatTemplate.required(
                spec.chat_template, bos_token=spec.bos_token or "", eos_token=spec.eos_token or ""
            )
        except ChatTemplateError as error:
            self._template = error

    def render(self, messages: Sequence[Message]) -> str:
        """Return the text that the model is to continue.

        Raises:
            ChatTemplateError: the model has no chat template, or it fails.
        """
        if isinstance(self._template, ChatTemplateError):
            error = self._template
            raise ChatTemplateError(error.what, error.next_step, detail=error.detail)
        return self._template.render(messages, now=datetime.now().astimezone())
