"""The icons of `templates/icons.svg`, each written into the page that shows it.

A reference into another file (`<use href="icons.svg#i-x">`) would make a browser lay out the page a second time once it
has that file, with a tree of elements of its own for each icon.
"""

import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

ICONS = Path(__file__).parent.parent.parent / "templates" / "icons.svg"
SVG = "{http://www.w3.org/2000/svg}"
NUMBER = r"[\s,]*([-+]?(?:\d*\.\d+|\d+))"
START = re.compile(rf"m{NUMBER}{NUMBER}\s*(?=(\S?))")


@cache
def icon(name: str, kind: str = "") -> Markup:
    """An icon by its name without "i-", hidden from screen readers; `kind`: further classes. Raises KeyError."""
    names = f"icon {kind}" if kind else "icon"
    return Markup(f'<svg class="{names}" viewBox="0 0 24 24" aria-hidden="true">{drawings()[name]}</svg>')  # noqa: S704


@cache
def drawings() -> dict[str, str]:
    """The inner part of each icon, by name: as few elements as possible."""
    root = ElementTree.parse(ICONS).getroot()  # noqa: S314  (our own file)
    return {each.attrib["id"].removeprefix("i-"): drawing(list(each)) for each in root.iter(f"{SVG}symbol")}


def drawing(shapes: list[ElementTree.Element]) -> str:
    """Shapes as elements, with all paths in one."""
    plain = [each for each in shapes if each.tag == f"{SVG}path" and set(each.attrib) == {"d"}]
    path = "".join(absolute(each.attrib["d"]) for each in plain)
    others = "".join(element(each) for each in shapes if each not in plain)
    return (f'<path d="{path}"/>' if path else "") + others


def element(shape: ElementTree.Element) -> str:
    attributes = " ".join(f'{name}="{value}"' for name, value in shape.attrib.items())
    return f"<{shape.tag.removeprefix(SVG)} {attributes}/>"


def absolute(path: str) -> str:
    """A path that begins at the same point after another one. Numbers after a relative start are relative lines."""
    return START.sub(begun, path, count=1) if path.startswith("m") else path


def begun(start: re.Match[str]) -> str:
    x, y, following = start.groups()
    return f"M{x} {y}{'l' if following and not following.isalpha() else ''}"
