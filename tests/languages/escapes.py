"""Find text in sources that is not said by a message.

What is found is what looks like text for people: letters between elements, in attributes that are read out or shown, in
arguments of macros, and sentences in Python and scripts. A text that stays as it is says so: an element with
`translate="no"` or a language of its own in a template, the comment `# English` at the end of a line of Python, and
`// English` in a script.
"""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from jinja2 import nodes

from scripts.messages import SAID, WHOLE, template_environment

# Comments, strings, templates, names and signs of a script.
STRING = r"""'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`"""
TOKEN = re.compile(rf"//[^\n]*|/\*.*?\*/|{STRING}|\w+|[^\s\w]", re.DOTALL)
WORD = re.compile(r"[^\W\d_]{2,}")
# Names and signs that are the same in every language.
SAME = {
    "Soroe",
    "JPEG",
    "PNG",
    "WebP",
    "AVIF",
    "PDF",
    "ZIP",
    "CSV",
    "LoRA",
    "SDXL",
    "px",
    "MB",
    "kB",
    "GB",
    "Ctrl",
    "Esc",
    "Enter",
    "Space",
    "Shift",
    "Del",
}
SHOWN = {"alt", "aria-label", "aria-valuetext", "aria-description", "label", "placeholder", "title", "data-words"}
AS_IS = {"code", "kbd", "samp", "script", "style"}
BLOCK = re.compile(r"{%-?\s*trans\b.*?endtrans\s*-?%}|{#.*?#}|{%.*?%}|{{.*?}}", re.DOTALL)
VOID = {
    "area",
    "br",
    "col",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "use",
    "line",
    "rect",
    "circle",
    "path",
    "image",
}
HELP = {"typer.Option", "typer.Argument", "typer.Typer"}  # messages without a call, see app/cli/help.py
# A sentence, or a label of several words or with a capital.
SENTENCE = re.compile(r"[A-Z][^\W_]*[’']?[a-z]*,? .*[.?!…:]$|[A-Z][a-z]+ [a-z’]+( [a-z’]+)+$", re.DOTALL)
LABEL = re.compile(r"[A-Z][a-z]+([ ,.…:].*)?$|.*[a-z]{2,} [a-z]{2,}.*|^ [a-z]+ $", re.DOTALL)


class Texts(HTMLParser):
    """Letters between elements and in shown attributes, with their lines."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self.open: list[tuple[str, bool]] = []  # elements, and whether their text stays as it is

    def note(self, text: str | None) -> None:
        if re.search(r'="|[a-z]-(\s|$)|\bar-|^\s*/', text or ""):  # a macro that gives attributes or classes
            return
        words = [word for word in WORD.findall(text or "") if word not in SAME]
        if words and not (self.open and self.open[-1][1]):
            self.found.append((self.getpos()[0], " ".join((text or "").split())))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        for name in SHOWN & named.keys():
            self.note(named[name])
        if tag not in VOID:
            stays = tag in AS_IS or named.get("translate") == "no" or ("lang" in named and tag != "html")
            self.open.append((tag, stays or bool(self.open and self.open[-1][1])))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in SHOWN:
                self.note(value)

    def handle_endtag(self, tag: str) -> None:
        while any(name == tag for name, _ in self.open) and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.note(data)


def in_template(text: str) -> Iterator[tuple[int, str]]:
    parser = Texts()
    # What Jinja says becomes blanks, of as many lines.
    parser.feed(BLOCK.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text))
    yield from parser.found
    yield from in_expressions(template_environment().parse(text))


def in_expressions(tree: nodes.Node) -> Iterator[tuple[int, str]]:
    """Strings in expressions and arguments, as far as they look like a label."""
    for node in tree.iter_child_nodes():
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in SAID:
            for part in node.kwargs:
                yield from in_expressions(part)
        elif isinstance(node, nodes.Filter) and node.name in ("format", "join", "plural"):
            if node.name == "plural":
                yield node.lineno, "|plural glues; say ngettext(...)"
            if node.node is not None:
                yield from in_expressions(node.node)
        elif isinstance(node, nodes.Const):
            if isinstance(node.value, str) and is_label(node.value):
                yield node.lineno, node.value
        else:
            yield from in_expressions(node)


def is_label(text: str) -> bool:
    classes = re.search(r"--|__|[=/#.<&{\[]\S|:|^ data-", text) or (
        text.split() and all(part in SAME for part in text.split())
    )
    return bool(LABEL.fullmatch(text)) and not classes


def in_python(text: str) -> Iterator[tuple[int, str]]:
    """Sentences in Python, except docstrings, what is logged, and descriptions of settings and metrics."""
    lines = text.split("\n")
    tree = ast.parse(text)
    silent: set[int] = set()
    for node in ast.walk(tree):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        own_fault = name in (
            "RuntimeError",
            "ValueError",
            "TypeError",
            "AssertionError",
            "NotImplementedError",
            "Field",
            *WHOLE,
            *HELP,
        )
        metric = name in ("Counter", "Gauge", "Histogram", "_gauge", "GaugeMetricFamily", "CounterMetricFamily")
        doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if doc or own_fault or metric or name in SAID or name.startswith(("log.", "languages.", "re.")):
            silent |= {id(part) for part in ast.walk(node)}
    for node in ast.walk(tree):
        said = text_of(node)
        if said and id(node) not in silent and SENTENCE.fullmatch(said.strip()):
            last = lines[(node.end_lineno or node.lineno) - 1]
            if not last.rstrip().endswith("# English"):
                yield node.lineno, said
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("plural", "text.plural"):
            yield node.lineno, "plural(...) glues; say ngettext(...)"
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and rebinds(function):
            yield function.lineno, f"{function.name} uses the name _ for something else"


def text_of(node: ast.AST) -> str:
    """A string, or an f-string with its values as words that may begin a sentence."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr) and any(WORD.search(text_of(part)) for part in node.values):
        return "".join(part.value if isinstance(part, ast.Constant) else "Xx" for part in node.values)  # type: ignore[misc]
    return ""


def rebinds(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function that says something binds `_` too, which Python would then take for a variable."""
    inside = [node for part in function.body for node in ast.walk(part)]
    names = [node for node in inside if isinstance(node, ast.Name) and node.id == "_"]
    calls = {id(node.func) for node in inside if isinstance(node, ast.Call)}
    bound = any(isinstance(node.ctx, ast.Store) for node in names) or "_" in [
        each.arg for each in (*function.args.args, *function.args.kwonlyargs)
    ]
    return bound and any(id(node) in calls for node in names)


def in_script(text: str) -> Iterator[tuple[int, str]]:
    before = ["", "", ""]
    for found in TOKEN.finditer(text):
        token = found[0]
        if token.startswith(("//", "/*")):
            continue
        if token[0] in "\"'`":
            said = token[1:-1].strip()
            call = before[-1] == "(" and before[-2] in SAID
            second = before[-1] == "," and "ngettext" in before
            english = text[found.end() :].partition("\n")[0].endswith("// English")
            if SENTENCE.fullmatch(said) and not call and not second and not english:
                yield text.count("\n", 0, found.start()) + 1, said
        before = [*before, token][-5:]


def escaping(path: Path) -> list[str]:
    """What is not said by a message in a source: "line: text"."""
    text = path.read_text("utf-8")
    look = {".py": in_python, ".html": in_template, ".js": in_script}[path.suffix]
    return [f"{line}: {said}" for line, said in look(text)]
