"""Which variables a template takes from its context, including everything it extends, includes and imports."""

from collections.abc import Iterable

from jinja2 import Environment, nodes


class Variables:
    """`names` that a template reads and does not set, those that must not be missing (`needed`), and attributes
    read.
    """

    def __init__(self, environment: Environment, template: str) -> None:
        self.environment = environment
        self.names: set[str] = set()
        self.needed: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self._template(template, set(), [])
        for names in (self.names, self.needed):
            names -= {*environment.globals, "self", "super"}

    def _template(self, name: str, bound: set[str], within: list[str]) -> None:
        if name in within:
            return
        loader = self.environment.loader
        assert loader
        source = loader.get_source(self.environment, name)[0]
        found = self.environment.parse(source)
        macros = {macro.name for macro in found.find_all(nodes.Macro)}  # known before their definition
        self._all(found.body, bound | macros, [*within, name])

    def _all(self, found: Iterable[nodes.Node], bound: set[str], within: list[str]) -> None:
        for node in found:
            self._one(node, bound, within)

    def _one(self, node: nodes.Node, bound: set[str], within: list[str]) -> None:
        """What a node reads; what it sets is added to `bound`."""
        match node:
            case nodes.Name(ctx="load"):
                self.names |= {node.name} - bound
                self.needed |= {node.name} - bound
            case (
                nodes.Filter(name="default", node=nodes.Name() as name)
                | nodes.Test(name="defined", node=nodes.Name() as name)
            ):
                self.names |= {name.name} - bound
            case nodes.Getattr(node=nodes.Name(ctx="load") as of):
                if of.name not in bound:
                    self.attributes.add((of.name, node.attr))
                self._one(of, bound, within)
            case nodes.Include() | nodes.Import() | nodes.FromImport() | nodes.Extends():
                self._other(node, bound, within)
            case nodes.For():
                self._one(node.iter, bound, within)
                inner = bound | _targets(node.target) | {"loop"}
                self._all([*([node.test] if node.test else []), *node.body], inner, within)
                self._all(node.else_, set(bound), within)
            case nodes.Macro() | nodes.CallBlock():
                self._macro(node, bound, within)
            case nodes.With():
                self._all(node.values, bound, within)
                self._all(node.body, bound | {name for each in node.targets for name in _targets(each)}, within)
            case nodes.Assign():
                self._one(node.node, bound, within)
                bound |= _targets(node.target)
            case nodes.AssignBlock():
                self._all(node.body, set(bound), within)
                bound |= _targets(node.target)
            case nodes.Block():
                self._all(node.body, set(bound), within)
            case _:
                self._all(node.iter_child_nodes(), bound, within)

    def _macro(self, node: nodes.Macro | nodes.CallBlock, bound: set[str], within: list[str]) -> None:
        if isinstance(node, nodes.CallBlock):
            self._one(node.call, bound, within)
        self._all(node.defaults, bound, within)
        arguments = {each.name for each in node.args}
        self._all(node.body, bound | arguments | {"caller", "varargs", "kwargs"}, within)

    def _other(self, node: nodes.Node, bound: set[str], within: list[str]) -> None:
        """Another template, which sees what is set here if included, and otherwise only the context."""
        named: nodes.Node = node.template  # type: ignore[attr-defined]
        for name in (each.value for each in (named, *named.find_all(nodes.Const)) if isinstance(each, nodes.Const)):
            if str(name).endswith(".html") and (isinstance(node, nodes.Extends) or node.with_context):  # type: ignore[attr-defined]
                self._template(name, bound if isinstance(node, nodes.Include) else set(), within)
        if isinstance(node, nodes.Import):
            bound.add(node.target)
        if isinstance(node, nodes.FromImport):
            bound |= {each if isinstance(each, str) else each[1] for each in node.names}


def _targets(node: nodes.Node) -> set[str]:
    return {each.name for each in (node, *node.find_all(nodes.Name)) if isinstance(each, nodes.Name)}
