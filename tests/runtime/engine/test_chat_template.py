"""Chat templates render what transformers renders; what they refuse or get wrong is told in plain words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.utils import chat_template_utils

from runtime.engine.chat_template import NO_VARIABLES, ChatTemplate, Variables
from runtime.engine.template_limits import TemplateLimits
from runtime.values.errors import ChatTemplateError
from runtime.values.prompt import Message, Role

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SOURCES = {
    path.stem: path.read_text(encoding="utf-8") for path in Path(__file__).with_name("templates").glob("*.jinja")
}
CHATS = {
    "first question": "u:Hi",
    "system": "s: Be brief. |u: Hello\n world ",
    "second question": "u:q1|a:a1|u:q2",
    "reasoning before": "s:s|u:q1|a:<think>\nhm\n</think>\n\na1|u:what is <think>?",
    "continued": "u:Tell a story|a:Once upon a time",
    "continued after a blank": "u:Tell a story|a:Once upon ",
    "continued reasoning": "u:Tell a story|a:<think>\nA story, well",
    "roles do not alternate": "u:one|u:two",
    "template syntax in the text": "u:{{ 7 * 7 }} {% raw %} <|im_end|> é🙂\r\n\t",
    "empty": "u:",
    "skipped": "u:skip me|a:a|u:b",
}
BOS, EOS = "<s>", "</s>"
TEXTS = st.text(st.sampled_from(" \n{}%#<|>/thinkaé🙂"), max_size=30) | st.text(max_size=20)


@pytest.fixture(autouse=True)
def _fixed_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template_utils, "datetime", SimpleNamespace(now=lambda: NOW))


def conversation(text: str) -> list[Message]:
    roles = {"s": Role.SYSTEM, "u": Role.USER, "a": Role.ASSISTANT}
    return [Message(roles[part[:1]], part[2:]) for part in text.split("|")]


def theirs(source: str, messages: Sequence[Message], variables: Variables) -> str | None:
    """What transformers renders; None if it raises."""
    continued = messages[-1].role is Role.ASSISTANT
    render: Callable[..., Sequence[object]] = chat_template_utils.render_jinja_template
    try:
        rendered, _ = render(
            [[{"role": message.role.value, "content": message.text} for message in messages]],
            chat_template=source,
            continue_final_message=continued,
            add_generation_prompt=not continued,
            bos_token=BOS,
            eos_token=EOS,
            **variables,
        )
    except Exception:  # noqa: BLE001 (whatever it is, there is no text)
        return None
    assert isinstance(rendered, list)
    return str(rendered[0])


def ours(source: str, messages: Sequence[Message], variables: Variables = NO_VARIABLES) -> str | None:
    try:
        template = ChatTemplate(source, bos_token=BOS, eos_token=EOS)
        return template.render(messages, now=NOW, variables=variables)
    except ChatTemplateError:
        return None


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("name", SOURCES)
def test_renders_what_transformers_renders(name: str, chat: str) -> None:
    messages = conversation(CHATS[chat].replace("<|im_end|>", "<¦im_end¦>"))
    expected = theirs(SOURCES[name], messages, NO_VARIABLES)
    if expected is None and messages[0].role is Role.SYSTEM:
        return  # `test_a_refused_system_message_…` shows what we do instead
    assert ours(SOURCES[name], messages) == expected


@pytest.mark.parametrize("enable_thinking", [True, False])
def test_variables_reach_the_template(enable_thinking: bool) -> None:
    variables = {"enable_thinking": enable_thinking}
    messages = conversation("u:Hi")
    rendered = ours(SOURCES["qwen3"], messages, variables)
    assert rendered == theirs(SOURCES["qwen3"], messages, variables)
    assert rendered is not None
    assert rendered.endswith("</think>\n\n") == (not enable_thinking)


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.sampled_from(sorted(SOURCES)), st.booleans())
def test_renders_what_transformers_renders_for_any_text(texts: list[str], name: str, has_system: bool) -> None:
    roles = [Role.USER, Role.ASSISTANT] * len(texts)
    system = [Message(Role.SYSTEM, "Be brief.")] if has_system and name != "gemma" else []
    messages = system + [Message(role, text) for role, text in zip(roles, texts, strict=False)]
    assert ours(SOURCES[name], messages) == theirs(SOURCES[name], messages, NO_VARIABLES)


def test_a_refused_system_message_goes_before_the_first_user_message() -> None:
    merged = ours(SOURCES["gemma"], conversation("s:Be brief.|u:Hi|a:Hello|u:Bye"))
    assert merged == ours(SOURCES["gemma"], conversation("u:Be brief.\n\nHi|a:Hello|u:Bye"))
    assert merged is not None
    assert "Be brief.\n\nHi" in merged


@pytest.mark.parametrize("chat", ["s:only a system", "s:s|u:one|u:two", "u:one|u:two"])
def test_what_a_template_refuses_for_another_reason_stays_refused(chat: str) -> None:
    with pytest.raises(ChatTemplateError, match=r"refused the conversation: .+") as caught:
        ChatTemplate(SOURCES["gemma"]).render(conversation(chat), now=NOW)
    assert "another model" in caught.value.next_step


def test_only_a_refusal_by_the_template_is_tried_again() -> None:
    template = ChatTemplate("{% if messages[0].role == 'system' %}{{ 1 / 0 }}{% endif %}fine")
    with pytest.raises(ChatTemplateError, match="division by zero"):
        template.render(conversation("s:s|u:u"), now=NOW)


@pytest.mark.parametrize("chat", ["u:hi|a:gone", "u:hi|a:CHANGED"])
def test_a_template_that_drops_the_last_reply_cannot_continue_it(chat: str) -> None:
    template = ChatTemplate("{{ messages[0].content }}{{ messages[-1].content|lower if messages|length > 2 }}")
    with pytest.raises(ChatTemplateError, match="continued"):
        template.render(conversation(chat), now=NOW)


@pytest.mark.parametrize("source", [None, "", " \n"])
def test_a_model_without_a_template_cannot_chat(source: str | None) -> None:
    with pytest.raises(ChatTemplateError, match="no chat template") as caught:
        ChatTemplate.required(source)
    assert "made for chat" in caught.value.next_step


def test_a_required_template_is_a_template() -> None:
    template = ChatTemplate.required("{{ bos_token }}{{ messages[0].content }}", bos_token=BOS)
    assert template.render(conversation("u:Hi"), now=NOW) == "<s>Hi"


def test_a_token_the_model_lacks_is_undefined() -> None:
    source = "{{ bos_token is defined }} {{ bos_token }}"
    assert ChatTemplate(source).render(conversation("u:Hi"), now=NOW) == "False "


def test_no_messages_are_no_conversation() -> None:
    with pytest.raises(ChatTemplateError, match="no message"):
        ChatTemplate("x").render([], now=NOW)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("{% for %}", "mistake in line 1"),
        ("\n{% if x %}", "mistake in line"),
        ("{{ '" + "x" * 1_000_000 + "' }}", "too long"),
        ("{{ x|wordwrap }}", "No filter named 'wordwrap'"),
        ("{% for a in b %}" * 100 + "{% endfor %}" * 100, "failed"),
        ("{{" + "(" * 10_000 + "1" + ")" * 10_000 + "}}", "too deeply"),
    ],
)
def test_a_broken_template_is_refused_when_it_is_made(source: str, what: str) -> None:
    with pytest.raises(ChatTemplateError, match=what):
        ChatTemplate(source)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (
            "{{ raise_exception('Conversation roles must alternate') }}",
            "refused the conversation: Conversation roles must",
        ),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ nothing.at.all }}", "'nothing' is undefined"),
        ("{{ nothing() }}", "'nothing' is undefined"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "too deeply"),
        ("{% include 'other' %}", "failed"),
    ],
)
def test_a_failing_template_says_why(source: str, what: str) -> None:
    with pytest.raises(ChatTemplateError, match=what) as caught:
        ChatTemplate(source).render(conversation("u:Hi"), now=NOW)
    assert caught.value.next_step


def test_a_message_of_the_template_cannot_command_the_terminal() -> None:
    with pytest.raises(ChatTemplateError) as caught:
        ChatTemplate(r"{{ raise_exception('a\x1b[2J\nb' ~ 'c' * 10000) }}").render(conversation("u:Hi"), now=NOW)
    assert caught.value.what.isprintable()
    assert len(caught.value.what) < 500


def test_an_error_holds_on_to_nothing_the_template_made() -> None:
    with pytest.raises(ChatTemplateError) as caught:
        ChatTemplate("{% set a = 'x' * 1000 %}{{ 1 / 0 }}").render(conversation("u:Hi"), now=NOW)
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__traceback__ is None


def test_renders_again_after_a_failure() -> None:
    template = ChatTemplate("{{ 1 / (messages|length - 1) }}", limits=TemplateLimits(seconds=1))
    with pytest.raises(ChatTemplateError):
        template.render(conversation("u:Hi"), now=NOW)
    assert template.render(conversation("u:Hi|a:Hello|u:Bye"), now=NOW) == "0.5"
