"""The modules of `static/js`, joined into two files for each page: those of every page, and those of this one only.

A browser pays for each module it loads, in its network process and on the page's main thread: thirty small ones took a
tenth of all it did to open the review room. Within a file, each module keeps a scope of its own, runs after those it
imports, and fails alone. The address names the modules: `js/site.js`, `js/site+grid+gallery.js`.
"""

import re
from functools import lru_cache
from pathlib import Path

SCRIPTS = Path(__file__).parent.parent.parent / "static" / "js"

# The modules of every page, in the order in which they hear events; some are for people who are signed in.
SITE_MODULES = (
    *("composing", "theme", "prefs", "ask", "sheet", "forms", "shortcuts", "toast", "refused", "autosave", "requests"),
    *("palette", "notify", "vision"),
)
BASES = {
    "site": SITE_MODULES,
    "door": tuple(name for name in SITE_MODULES if name not in ("ask", "palette", "notify", "vision")),
}
ADDRESS = re.compile(rf"js/({'|'.join(BASES)})((?:\+\w+)*)\.js")

IMPORT = re.compile(r'^import (?:\{ ([^}]+) \} from )?"\./(\w+)\.js";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:const|class|(?:async )?function) (\w+))", re.MULTILINE)
OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def address(base: str, *names: str) -> str:
    """Where the modules that a page has besides those of `base` are; without `names`, the base itself."""
    return f"js/{'+'.join((base, *names))}.js"


@lru_cache(200)  # anyone may ask for any combination
def parts(address: str) -> tuple[str, ...]:
    """The modules in the file at an address, each after those that it imports. Raises ValueError and OSError."""
    found = ADDRESS.fullmatch(address)
    if not found:
        raise ValueError(f"{address} names no modules")
    every, names = with_imports(*BASES[found[1]]), found[2].split("+")[1:]
    return tuple(name for name in with_imports(*names) if name not in every) if names else every


def with_imports(*names: str) -> tuple[str, ...]:
    """Modules and what they import, in the order in which a browser runs them."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        if name not in found:
            for _, imported in IMPORT.findall((SCRIPTS / f"{name}.js").read_text()):
                add(imported)
            found[name] = None

    for name in names:
        add(name)
    return tuple(found)


def join(address: str, texts: list[str]) -> str:
    """The texts of the `parts` of an address as one module, which exports what each exports, for those to come."""
    base = ADDRESS.fullmatch(address)
    assert base  # noqa: S101  (it has parts)
    start = f'import {{ modules as known }} from "./{base[1]}.js";\nexport const modules = {{ ...known }};\n'
    scopes = [scope(name, text) for name, text in zip(parts(address), texts, strict=True)]
    return "".join([start if base[2] else "export const modules = {};\n", *scopes])


def scope(name: str, text: str) -> str:
    """A module as a block, whose imports are those of blocks before it. Raises ValueError for what it cannot say."""
    exports = EXPORT.findall(text)
    text = EXPORT.sub("", IMPORT.sub(imported, text))
    if other := OTHER.search(text):
        raise ValueError(f"{name}.js: write imports and exports as other modules do: {other[0]}")
    told = f"modules.{name} = {{ {', '.join(exports)} }};\n"
    return f"try {{ // {name}.js\n{text}{told}}} catch (error) {{ reportError(error); }}\n"


def imported(found: re.Match[str]) -> str:
    names, module = found.groups()
    return f"const {{ {names.replace(' as ', ': ')} }} = modules.{module};" if names else ""
