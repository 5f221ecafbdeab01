"""What is special about the syntax of chat templates: the block `{% generation %}`, and operations made measurable.

Jinja's sandbox has hooks for calls and for arithmetic. Loops, comparisons, `~`, slices and mappings have none; the
syntax tree is rewritten so that they pass through filters, which the sandbox provides.
"""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

# Filters that only the rewritten tree uses; their names cannot be written after a "|".
TICK, WEIGHED, MADE, WRITTEN = "<tick>", "<weighed>", "<made>", "<written>"


class GenerationBlock(Extension):
    """`{% generation %}`: marks what the model wrote, for training. Here it only passes its content on."""

    tags = {"generation"}  # noqa: RUF012 (declared so by Jinja)

    def parse(self, parser: Parser) -> nodes.Node:
        """Parse the block into a call that gives its content back."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("content"), [], [], body).set_lineno(line)

    def content(self, caller: Callable[[], str]) -> str:
        """Return what the block wrote."""
        return caller()


class Metering(NodeTransformer):
    """Brings under the meter what the sandbox has no hook for."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 (Jinja finds it by this name)
        """Tick in each round, and for each member that the loop's condition looks at."""
        self.generic_visit(node)
        line = node.lineno
        node.body.insert(0, nodes.ExprStmt(_filtered(nodes.Const(None), TICK, line), lineno=line))
        if node.test is not None:
            node.test = nodes.And(_filtered(nodes.Const(None), TICK, line), node.test, lineno=line)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        """Join by our own means."""
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), WRITTEN, node.lineno)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        """Weigh both sides, unless one is a constant and the comparison thereby short."""
        self.generic_visit(node)
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        if len(sides) == 2 and any(_is_constant(side) for side in sides):
            return node
        node.expr = _filtered(node.expr, WEIGHED, node.lineno)
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, WEIGHED, node.lineno)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:  # noqa: N802
        """Weigh the keys of a mapping, which are hashed."""
        self.generic_visit(node)
        if not _is_constant(node.key):
            node.key = _filtered(node.key, WEIGHED, node.lineno)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        """Note slices, which are copies."""
        self.generic_visit(node)
        return _filtered(node, MADE, node.lineno) if isinstance(node.arg, nodes.Slice) else node


def _filtered(value: nodes.Expr, name: str, line: int) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=line)


def _is_constant(node: nodes.Expr) -> bool:
    if isinstance(node, (nodes.List, nodes.Tuple)):
        return all(isinstance(item, nodes.Const) for item in node.items)
    return isinstance(node, nodes.Const)
