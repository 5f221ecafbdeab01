"""A Jinja environment that renders what transformers' renders, and ends.

It is Jinja's immutable sandbox, set up as transformers sets it up for chat templates (blocks trimmed, loop controls,
`{% generation %}`, `raise_exception`, `strftime_now`), with every operation whose cost the template chooses brought
under a `Meter`: operators and calls by the hooks that the sandbox has for them, the rest by rewriting the syntax tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import BuiltinMethodType, CodeType

from jinja2 import TemplateError, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from runtime.engine.template_filters import bounded_filters, bounded_tests, check_percent
from runtime.engine.template_limits import Meter, is_view
from runtime.engine.template_methods import METHODS, BoundedFormatter, check_text_call
from runtime.engine.template_syntax import MADE, TICK, WEIGHED, WRITTEN, GenerationBlock, Metering


class TemplateRaisedError(TemplateError):
    """The template itself called `raise_exception`."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Compiles and renders templates within the limits of `meter`, which the caller starts."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))

    def __init__(self, meter: Meter) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[GenerationBlock, "jinja2.ext.loopcontrols"],
            # Constant expressions are evaluated when they are rendered, so compiling takes no longer for them.
            optimized=False,
            cache_size=0,
        )
        self.meter = meter
        self.finalize = self.printed
        rewritten = {TICK: self.ticked, WEIGHED: self.weighed, MADE: self.made, WRITTEN: self.written}
        self.filters.clear()
        self.filters.update(bounded_filters(meter) | rewritten)
        self.tests.clear()
        self.tests.update(bounded_tests(meter))
        del self.globals["lipsum"]
        self.globals |= {
            "dict": self.new_dict,
            "namespace": self.new_namespace,
            "raise_exception": self.raise_exception,
        }

    def compiled(self, source: str) -> Callable[[Mapping[str, object]], Iterable[str]]:
        """Return a function from a template's variables to the pieces of its text.

        Raises:
            TemplateError: a syntax error.
            LimitError: compiling takes too much.
        """
        tree = Metering().visit(self.parse(source))
        tree.set_environment(self)
        return self.from_string(tree).generate

    def _compile(self, source: str, filename: str) -> CodeType:
        # The hook that Jinja has for it. Python's compiler cannot be interrupted, so the code is measured first.
        if len(source) > self.meter.limits.code_chars:
            raise TemplateError("the template is too large")
        return super()._compile(source, filename)

    # What the rewritten tree calls.

    def ticked(self, _value: object) -> bool:
        """Look at time and memory: the beginning of a loop's body."""
        self.meter.tick()
        return True

    def weighed(self, value: object) -> object:
        """Let `value` be compared or hashed if that ends soon."""
        self.meter.weigh(value)
        return value

    def made(self, value: object) -> object:
        """Note a new value."""
        self.meter.tick()
        self.meter.made(value)
        return value

    def written(self, values: Sequence[object]) -> str:
        """Join values as texts: the operator `~`."""
        return self.concat([self._text(value) for value in values])

    def _text(self, value: object) -> str:
        self.meter.check_text(self.meter.weigh(value).text_chars)
        return str(value)

    # What Jinja calls.

    @pass_context  # keeps Jinja from calling it for constants when it compiles
    def printed(self, _context: Context, value: object) -> str:
        """Turn the value of `{{ … }}` into text."""
        text = self._text(value)
        self.meter.made(text)
        return text

    def concat(self, pieces: Iterable[str]) -> str:
        """Join what a macro or a block wrote."""
        self.meter.tick()
        pieces = list(pieces)
        self.meter.check_text(sum(map(len, pieces)))
        text = "".join(pieces)
        self.meter.made(text)
        return text

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Evaluate an arithmetic operator after a look at the size of what it gives."""
        self.meter.tick()
        if operator == "*":
            self._check_product(left, right)
        elif operator == "**":
            self._check_power(left, right)
        elif operator == "+":
            self._check_sum(left, right)
        elif operator == "%" and isinstance(left, str):
            check_percent(self.meter, left, right)
        elif is_view(left) or is_view(right):
            raise SecurityError("views of a mapping can only be looped over")
        result: object = super().call_binop(context, operator, left, right)
        self.meter.made(result)
        return result

    def _check_product(self, left: object, right: object) -> None:
        if isinstance(left, int) and isinstance(right, int):
            self.meter.check_number(left.bit_length() + right.bit_length())
        for sequence, times in ((left, right), (right, left)):
            if isinstance(times, int) and isinstance(sequence, str):
                self.meter.check_text(len(sequence) * times)
            elif isinstance(times, int) and isinstance(sequence, (list, tuple)):
                self.meter.check_items(len(sequence) * times)

    def _check_power(self, left: object, right: object) -> None:
        if isinstance(left, int) and isinstance(right, int):
            self.meter.check_number(left.bit_length() * right)

    def _check_sum(self, left: object, right: object) -> None:
        if isinstance(left, str) and isinstance(right, str):
            self.meter.check_text(len(left) + len(right))
        elif isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
            self.meter.check_items(len(left) + len(right))

    def getitem(self, obj: object, argument: object) -> object:
        """Subscribe `obj`; `argument` is hashed by that, or written into a message."""
        if not isinstance(argument, (str, int)):
            self.meter.weigh(argument)
        return super().getitem(obj, argument)

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Allow of Python's own types only the methods that are known to be harmless."""
        if not super().is_safe_attribute(obj, attr, value):
            return False
        allowed = next((methods for kind, methods in METHODS if isinstance(obj, kind)), None)
        return allowed is None or attr in allowed or not callable(value)

    def wrap_str_format(self, value: object) -> Callable[..., str] | None:
        """Replace `str.format` by one that checks its fields."""
        if super().wrap_str_format(value) is None:
            return None
        text: object = getattr(value, "__self__", None)
        is_format_map = getattr(value, "__name__", "") == "format_map"

        def formatted(*args: object, **kwargs: object) -> str:
            if is_format_map and isinstance(args[0], Mapping):
                return BoundedFormatter(self, self.meter).vformat(str(text), (), args[0])
            return BoundedFormatter(self, self.meter).vformat(str(text), args, kwargs)

        return formatted

    def call(self, context: Context, obj: object, /, *args: object, **kwargs: object) -> object:
        """Call a macro, a method or a function of Jinja's after a look at the arguments."""
        self.meter.tick()
        receiver = None if isinstance(obj, Macro) else getattr(obj, "__self__", None)
        if isinstance(receiver, str):
            named = [value for name, value in kwargs.items() if name not in {"_loop_vars", "_block_vars"}]
            check_text_call(self.meter, getattr(obj, "__name__", ""), receiver, [*args, *named])
        elif isinstance(obj, BuiltinMethodType) or isinstance(receiver, LoopContext):
            self.meter.weigh([receiver, *args] if isinstance(receiver, (list, tuple)) else [*args])
        result: object = super().call(context, obj, *args, **kwargs)
        self.meter.made(result)
        return result

    # What templates call.

    def new_dict(
        self, pairs: Mapping[object, object] | Iterable[tuple[object, object]] = (), /, **kwargs: object
    ) -> dict[object, object]:
        """Make a mapping: the function `dict`."""
        self.meter.weigh(pairs)
        mapping: dict[object, object] = {}
        # One by one: keys may be chosen so that each looks at all before it.
        for key, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
            self.meter.tick()
            mapping[key] = value
        mapping.update(kwargs)
        return mapping

    def new_namespace(
        self, pairs: Mapping[object, object] | Iterable[tuple[object, object]] = (), /, **kwargs: object
    ) -> Namespace:
        """Make a namespace: the function `namespace`."""
        attributes = self.new_dict(pairs, **kwargs)
        for name in attributes:
            _check_name(name)
        return ChatNamespace(attributes)

    def raise_exception(self, message: object) -> None:
        """Refuse the conversation.

        Raises:
            TemplateRaisedError: always.
        """
        raise TemplateRaisedError(self._text(message))


class ChatNamespace(Namespace):
    """Jinja's `namespace`, without names that begin with an underscore and without writing out what it holds."""

    def __setitem__(self, name: str, value: object) -> None:
        _check_name(name)
        super().__setitem__(name, value)

    def __repr__(self) -> str:
        return "<Namespace>"


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace cannot hold the name {name!r}")
