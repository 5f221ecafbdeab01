"""Hostile chat templates end in one error, soon and without taking the memory along; harmless ones are let be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from runtime.engine.chat_template import ChatTemplate
from runtime.engine.template_limits import TemplateLimits
from runtime.metrics.memory import resident_bytes_reader
from runtime.values.errors import ChatTemplateError
from runtime.values.prompt import Message, Role

pytestmark = pytest.mark.timeout(60)

NOW = datetime(2026, 3, 4, tzinfo=UTC)
CHAT = [Message(Role.USER, "hello")]
HASTY = TemplateLimits(seconds=0.3)
MOST_GROWTH_BYTES = 600_000_000


def loop(initial: str, step: str, times: int = 20_000) -> str:
    """A template that sets a value again and again."""
    head = "{% set ns = namespace(v=" + initial + ") %}"
    return head + "{% for i in range(" + str(times) + ") %}{% set ns.v = " + step + " %}{% endfor %}"


# Two trees of 2^60 leaves each, equal and yet not the same, made of a hundred lists.
LAUGHS = (
    "{% set ns = namespace(a=(1,), b=(1,)) %}"
    "{% for i in range(60) %}{% set ns.a = (ns.a, ns.a) %}{% set ns.b = (ns.b, ns.b) %}{% endfor %}"
)
LOOPS = {
    "nested loops": "{% for a in range(100000) %}" * 3 + "{% endfor %}" * 3,
    "a loop's condition": "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
    "a search in a condition": "{% for a in range(99999) if 'x' in range(99999)|list %}{% endfor %}",
    "a macro that calls itself twice": (
        "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(99) }}"
    ),
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a block that calls itself": "{% block a %}{{ self.a() }}{% endblock %}",
    "a loop that calls itself": "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "keys that collide": "{{ dict(range(0, 100000 * (2**61-1), 2**61-1)|batch(2)) }}",
    "members that collide": "{{ range(0, 100000 * (2**61-1), 2**61-1)|unique|list }}",
    "a slow search from the right": "{{ ('a' * 8000000).rfind('ab' ~ 'a' * 4000000) }}",
    "a slow strip": "{{ ('a' * 9000000).strip('b' * 4000000 ~ 'a') }}",
    "a slow trim": "{{ ('a' * 9000000)|trim('b' * 4000000 ~ 'a') }}",
    "equal texts": "{% set a, b = 'a' * 999999 ~ 'b', 'a' * 999999 ~ 'c' %}{{ a in [b] * 99999 }}",
    "equal texts, sorted": "{% set a, b = 'a' * 999999 ~ 'b', 'a' * 999999 ~ 'c' %}{{ ([a, b] * 99999)|sort }}",
    "equal texts, sought": "{% set a, b = 'a' * 999999 ~ 'b', 'a' * 999999 ~ 'c' %}{{ ([b] * 99999).index(a) }}",
}
GROWTH = {
    "x * n": "{{ 'x' * 10**10 }}",
    "n * x": "{{ 10**10 * 'x' }}",
    "list * n": "{{ [0] * 10**10 }}",
    "power": "{{ 10 ** (10 ** 10) }}",
    "squares": loop("2", "ns.v * ns.v"),
    "~": loop("'x'", "ns.v ~ ns.v"),
    "+": loop("'x'", "ns.v + ns.v"),
    "list +": loop("[1]", "ns.v + ns.v"),
    "join": loop("'x'", "[ns.v, ns.v]|join"),
    "join by": loop("'x'", "'abc'|join(ns.v)"),
    "str.join": loop("'x'", "ns.v.join('abc')"),
    "set block": loop("'x'", "ns.v").replace("{% endfor %}", "{% set w %}" + "x" * 999 + "{% endset %}{% endfor %}")
    + "{% set w %}{% for i in range(100000) %}"
    + "x" * 9999
    + "{% endfor %}{% endset %}",
    "macro": "{% macro m() %}{% for i in range(99999) %}" + "x" * 9999 + "{% endfor %}{% endmacro %}{{ m() }}",
    "output": "{% for i in range(99999) %}" + "x" * 9999 + "{% endfor %}",
    "center": "{{ 'x'|center(10**10) }}",
    "mapped center": "{{ ['x']|map('center', 10**10)|list }}",
    "indent": "{{ 'x\\ny'|indent(10**10) }}",
    "indent by": "{{ ('x\\n' * 9999)|indent('y' * 9999) }}",
    "replace": loop("'x'", "ns.v|replace('x', 'xx')"),
    "str.replace": loop("'x'", "ns.v.replace('', ns.v)"),
    "%": "{{ '%1000000000d' % 5 }}",
    "% by name": "{{ '%(a(b))1000000000d' % {'a(b)': 5} }}",
    "% *": "{{ '%*d' % (10**9, 5) }}",
    "% precision": "{{ '%.1000000000f' % 1.5 }}",
    "% flags": "{{ '%#0+ 1000000000d' % 5 }}",
    "% many": "{{ ('%9999d' * 99999) % ((5,) * 99999) }}",
    "% repeated": "{{ ('%(a)s' * 99999) % {'a': 'x' * 99999} }}",
    "format filter": "{{ '%1000000000d'|format(5) }}",
    "str.format": "{{ '{:>1000000000}'.format('x') }}",
    "str.format nested": "{{ '{:>{w}}'.format('x', w=10**9) }}",
    "str.format_map": "{{ '{a:.1000000000f}'.format_map({'a': 1.5}) }}",
    "str.format repeated": "{{ ('{0}' * 99999).format('x' * 99999) }}",
    "ljust": "{{ 'x'.ljust(10**10) }}",
    "zfill": "{{ 'x'.zfill(10**10) }}",
    "expandtabs": "{{ ('\\t' * 999999).expandtabs(9999) }}",
    "split": "{{ ('ab ' * 5000000).split() }}",
    "splitlines": "{{ ('\\n' * 9999999).splitlines() }}",
    "characters": "{{ ('漢' * 9999999)|list }}",
    "title": "{{ ('a ' * 7999999)|title }}",
    "batch": "{{ [1]|batch(10**9, 'x')|list }}",
    "slice": "{{ [1]|slice(10**9)|list }}",
    "tojson indent": "{{ [1, [2]]|tojson(indent=10**9) }}",
    "tojson separators": "{{ range(99999)|list|tojson(indent=-99999, separators=('x' * 99999, ':')) }}",
    "sum of lists": "{{ ([[1] * 999] * 999)|sum(start=[]) }}",
    "round": "{{ 5|round(-10**9) }}",
    "round down": "{{ 5|round(10**9, 'floor') }}",
    "% in a test": "{{ '%1000000000d' is odd }}{{ '%1000000000d' is divisibleby(5) }}",
    "slices": loop("[]", "ns.v + [('x' * 9999999)[1:]]"),
    "methods": loop("[]", "ns.v + [('x' * 9999999).upper()]"),
    "small things": loop("[]", "[ns.v, range(99)|list, namespace(a=i)]") * 9,
    "nested lists": loop("[]", "[ns.v]") + "{{ ns.v }}",
    "nested tuples": loop("(1,)", "(ns.v,)") + "{{ {}[ns.v] }}",
    "nested filters": loop("[1]", "ns.v|map('upper')|reverse") + "{{ 1 / 0 }}",
    "nested namespaces": loop("1", "namespace(v=ns.v)") + "{{ 1 / 0 }}",
}
ESCAPES = {
    "class": "{{ ''.__class__.__mro__ }}",
    "class as item": "{{ ''['__class__']['__mro__'] }}",
    "class by filter": "{{ (''|attr('__class__')).mro() }}",
    "class by format": "{{ '{0.__class__.__mro__}'.format('') }}",
    "class by format_map": "{{ '{a.__class__.__mro__}'.format_map({'a': 1}) }}",
    "globals of a function": "{{ cycler.__init__.__globals__ }}",
    "globals of ours": "{{ raise_exception.__globals__.x }}",
    "changing the conversation": "{{ messages.append(1) }}",
    "changing a message": "{{ messages[0].update(role='system') }}",
    "dunder in a namespace": "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
    "dunder in a new namespace": "{{ namespace(__class__=1) }}",
    "bytes": "{{ 'a'.encode() }}",
    "bytes of a number": "{{ (1).to_bytes(10**10, 'big') }}",
    "translate": "{{ 'a'.translate({97: 'x'}) }}",
    "views of a mapping": "{{ {}.keys() - [] }}",
    "another file": "{% include '/etc/passwd' %}",
    "another template": "{% extends 'x' %}",
    "an import": "{% import 'os' as os %}",
    "endless words": "{{ lipsum(n=10**9) }}",
    "a wide date": "{{ strftime_now('%d' * 99999) }}",
}
# What would hash, compare or write out the trees.
LAUGHED_AT = (
    "{{ ns.a }}",
    "{{ ns.a|tojson }}",
    "{{ ns.a|string }}",
    "{{ ns.a|lower }}",
    "{{ ns.a is upper }}",
    "{{ 'x' ~ ns.a }}",
    "{{ '%s' % (ns.a,) }}",
    "{{ '{}'.format(ns.a) }}",
    "{{ '{!r}'.format(ns.a) }}",
    "{{ [ns.a]|join }}",
    "{{ 'x'|replace('x', ns.a) }}",
    "{{ raise_exception(ns.a) }}",
    "{{ ns.a|trim }}",
    "{{ ns.a|escape }}",
    "{{ ns.a == ns.b }}",
    "{{ ns.a < ns.b < 3 }}",
    "{{ ns.a in [ns.b] }}",
    "{{ [ns.a].count(ns.b) }}",
    "{{ ns.a is eq ns.b }}",
    "{{ [ns.a, ns.b]|max }}",
    "{{ [ns.a, ns.b]|sort }}",
    "{{ [{'k': ns.a}]|selectattr('k', 'equalto', ns.b)|list }}",
    "{{ [[ns.a], [ns.b]]|groupby(0) }}",
    "{% for i in [ns.a, ns.b] %}{{ loop.changed(i) }}{% endfor %}",
    "{{ {ns.a: 1} }}",
    "{{ {}[ns.a] }}",
    "{{ {}.get(ns.a) }}",
    "{{ ns.a in {} }}",
    "{{ ns.a is in {} }}",
    "{{ [ns.a]|unique|list }}",
    "{{ dict([(ns.a, 1)]) }}",
    "{{ namespace([(ns.a, 1)]) }}",
    "{{ [1]|map(ns.a)|list }}",
    "{{ [1]|select(ns.a)|list }}",
    "{{ ''|attr(ns.a) }}",
    "{{ [{}]|map(attribute=ns.a)|list }}",
    "{{ 1|round(method=ns.a) }}",
    "{{ ns.a is filter }}",
    "{{ messages[ns.a].x }}",
    "{{ messages[[ns.a]].x }}",
    "{{ {'a': 1}|dictsort(by=ns.a) }}",
    "{{ ns.a|int }}",
    "{% for i in [ns.a] %}{{ loop|join }}{% endfor %}",
    "{{ [1]|sum(start=ns.a) }}",
)
SYNTAX = {
    "sums": "{{" + "+".join("1" * 99_999) + "}}",
    "outputs": "{{a}}" * 150_000,
    "list": "{{[" + "1," * 300_000 + "]}}",
    "comparisons": "{{1" + "<2" * 200_000 + "}}",
    "attributes": "{{a" + ".a" * 200_000 + "}}",
    "parentheses": "{{" + "(" * 99_999 + "1" + ")" * 99_999 + "}}",
    "conditions": "{% if a %}" * 40_000 + "{% endif %}" * 40_000,
    "alternatives": "{% if a %}" + "{% elif a %}b" * 60_000 + "{% endif %}",
    "macros": "".join(f"{{%macro m{i}()%}}{{%endmacro%}}" for i in range(25_000)),
    "digits": "{{" + "9" * 99_999 + "}}",
    "length": "x" * 1_000_001,
}


@contextmanager
def peak_growth_bytes() -> Iterator[list[int]]:
    """Yield a list whose last entry is how far the resident memory grew at most."""
    read, done = resident_bytes_reader(), threading.Event()
    before = read()
    seen = [0]

    def sample() -> None:
        while not done.wait(0.005):
            seen.append(max(seen[-1], read() - before))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield seen
    finally:
        done.set()
        sampler.join()


def refused(source: str, stated: str, limits: TemplateLimits = HASTY) -> None:
    threads = threading.active_count()
    with peak_growth_bytes() as growth, pytest.raises(ChatTemplateError, match=stated) as caught:
        ChatTemplate(source, limits=limits).render(CHAT, now=NOW)
    assert caught.value.next_step
    assert growth[-1] < MOST_GROWTH_BYTES
    assert threading.active_count() == threads
    assert ChatTemplate("{{ messages[0].content }}").render(CHAT, now=NOW) == "hello"


@pytest.mark.parametrize("name", LOOPS)
def test_endless_work_is_stopped(name: str) -> None:
    refused(LOOPS[name], "stopped|too deeply")


@pytest.mark.parametrize("name", GROWTH)
def test_growth_is_stopped(name: str) -> None:
    refused(
        GROWTH[name], "stopped|number is needed|division by zero", TemplateLimits(seconds=1, memory_bytes=100_000_000)
    )


@pytest.mark.parametrize("name", ESCAPES)
def test_the_sandbox_is_closed(name: str) -> None:
    refused(ESCAPES[name], "unsafe|cannot|no loader|undefined|short text|only be looped")


@pytest.mark.parametrize("use", LAUGHED_AT)
def test_a_tree_with_more_leaves_than_memory_is_not_walked(use: str) -> None:
    refused(LAUGHS + use, "stopped|cannot be used", TemplateLimits(items=10_000))


@pytest.mark.parametrize("name", SYNTAX)
def test_compiling_is_bounded(name: str) -> None:
    refused(SYNTAX[name], "stopped|too deeply|too long|digits")


@pytest.mark.parametrize(
    "source", ["{{ ''['__class__'] }}", "{{ ''|attr('__class__') }}", "{{ '{0.__class__}'.format('') }}"]
)
def test_what_the_sandbox_hides_is_undefined(source: str) -> None:
    assert ChatTemplate(source).render(CHAT, now=NOW) == ""


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ '%5.1f|%-3d|%s' % (1.25, 7, 'ten thousand: 10000') }}", "  1.2|7  |ten thousand: 10000"),
        ("{{ 'in 2024, %s' % 'x' }}", "in 2024, x"),
        ("{{ '{:>5}|{!r}|{n:03d}'.format('a', 'b', n=7) }}", "    a|'b'|007"),
        ("{{ 'a\\tb'.expandtabs(4) }}", "a   b"),
        ("{{ 'a b  c'.split() }} {{ 'a,b'.split(sep=',', maxsplit=1) }}", "['a', 'b', 'c'] ['a', 'b']"),
        ("{{ ['a', 'b']|sum(start=0) if false else [1, 2.5]|sum }}", "3.5"),
        ("{{ [{'n': 1}, {'n': 2}]|sum('n') }}", "3"),
        ("{{ 10**30 // 10**29 }}", "10"),
        ("{{ 'abc'|join('-') }} {{ 'x'.join('abc') }} {{ [1, none, 'a']|join(',') }}", "a-b-c axbxc 1,None,a"),
        ("{{ namespace(self=1).self }} {{ dict([(1, 2)], a=3) }}", "1 {1: 2, 'a': 3}"),
        ("{% if [1]|select('odd') %}lazy{% endif %} {{ []|map('upper') is iterable }}", "lazy True"),
        (
            "{{ messages|map(attribute='role')|list }} {{ (1, 2) == (1, 2) }} {{ {(1, 2): 3}[(1, 2)] }}",
            "['user'] True 3",
        ),
        ("{% for a in 'abc' if a != 'b' %}{{ loop.index }}{{ a }}{{ loop.length }}{% endfor %}", "1a22c2"),
        ("{% generation %}{{ messages[0].content }}{% endgeneration %}!", "hello!"),
    ],
)
def test_what_is_bounded_still_works(source: str, text: str) -> None:
    assert ChatTemplate(source).render(CHAT, now=NOW) == text


def test_a_template_interrupted_near_its_end_leaves_nothing_behind() -> None:
    # One filter without a look at the clock, of a length near that of the limit: it ends, or is interrupted.
    threads = threading.active_count()
    for words in range(10_000, 210_000, 10_000):
        template = ChatTemplate("{{ ('a ' * " + str(words) + ")|title|length }}", limits=TemplateLimits(seconds=0.04))
        try:
            assert template.render(CHAT, now=NOW) == str(2 * words)
        except ChatTemplateError as error:
            assert "takes more than" in error.what  # noqa: PT017 (either outcome is right)
        assert sum(1 for _ in range(1_000)) == 1_000
    assert threading.active_count() == threads


def test_rendering_near_the_deadline_leaves_nothing_behind() -> None:
    template = ChatTemplate(
        "{% for i in range(messages|length * 100) %}{% endfor %}done", limits=TemplateLimits(seconds=0.01)
    )
    threads = threading.active_count()
    for length in range(1, 201):
        try:
            assert template.render(CHAT * length, now=NOW) == "done"
        except ChatTemplateError as error:
            assert "takes more than" in error.what  # noqa: PT017 (either outcome is right)
        assert sum(1 for _ in range(1_000)) == 1_000
    assert threading.active_count() == threads
