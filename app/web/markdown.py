"""Our own pages of text, which are files in Markdown, as HTML.

For texts of ours alone, never for what people write. Links lead to other sites; those to pages of the documentation,
which a server does not have, are only text.
"""

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

READER = MarkdownIt("commonmark", {"html": False}).enable("table")
FOLDED = re.compile(r"(?<=[^\x00-\u2fff])\n *(?=[^\x00-\u2fff])")  # a line's end between Japanese characters: no blank


def html(text: str) -> Markup:
    """The HTML of a text. Its first heading is left out, because the page has it as its own."""
    tokens = list(_laid_out(READER.parse(FOLDED.sub("", text.partition("\n")[2]))))
    return Markup(READER.renderer.render(tokens, READER.options, {}))  # noqa: S704  (it escapes what is no Markdown)


def title(text: str) -> str:
    """The first heading of a text."""
    return text.partition("\n")[0].removeprefix("# ")


def _laid_out(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens with the classes of our pages; tables scroll within a frame."""
    for token in tokens:
        if token.type == "inline":
            token.children = list(_leading_out(token.children or []))
        elif token.type == "th_open":
            token.attrs |= {"class": "wraps", "scope": "col"}
        if token.type == "table_open":
            token.attrSet("class", "table")
            yield Token("frame_open", "div", 1, block=True, attrs={"class": "tablewrap"})
        yield token
        if token.type == "table_close":
            yield Token("frame_close", "div", -1, block=True)


def _leading_out(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens of a line without links to other pages of the documentation."""
    inner = False
    for token in tokens:
        if token.type == "link_open":
            inner = not str(token.attrGet("href")).startswith("https://")
            token.attrs |= {"class": "link", "rel": "noopener noreferrer external"}
        if not (inner and token.type.startswith("link_")):
            yield token
