"""Style sheets, scripts and icons: in memory, compressed once, and cached permanently by browsers."""

from dataclasses import dataclass
from gzip import compress
from hashlib import sha256
from os import stat_result
from pathlib import Path
from stat import S_ISREG

from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Scope

from app.web import scripts

STATIC = Path(__file__).parent.parent.parent / "static"

# One file for what every page needs: each request costs a round trip. Its parts are small enough to read.
SITE = ("tokens", "base", "layout", "components", "forms", "pictures", "versions", "floating", "utilities")
JOINED = {"css/site.css": tuple(f"css/{name}.css" for name in SITE)}
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".md": "text/markdown; charset=utf-8",
    ".webp": "image/webp",
}
TEXTS = (".css", ".js", ".svg", ".md")
MOST = 500  # files in memory: anyone may ask for any combination of scripts


def content_hash(folder: Path) -> str:
    """One hash of all files, because they refer to each other by relative paths."""
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class StaticFile:
    """A file in memory, as of when its parts were changed (ns)."""

    changed: tuple[int, ...]
    content: bytes
    compressed: bytes | None  # with gzip; None for pictures, which do not shrink
    etag: str


def joined(path: str, contents: list[bytes]) -> bytes:
    """A file by its parts."""
    if scripts.ADDRESS.fullmatch(path):
        return scripts.join(path, [each.decode() for each in contents]).encode()
    return b"\n".join(contents)


class VersionedFiles(StaticFiles):
    """Static files under `/static/<hash>/`: cached permanently under the current hash, revalidated under any other."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self.version = content_hash(directory)
        self.kept: dict[str, StaticFile] = {}

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Without a thread, which might have to wait: the files are few, small and soon in memory."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        version, _, path = path.partition("/")
        kept, asked = self.keep(path), Headers(scope=scope)
        fresh = version == self.version
        headers = {"Cache-Control": "public, max-age=31536000, immutable" if fresh else "no-cache", "ETag": kept.etag}
        if kept.compressed:
            headers["Vary"] = "Accept-Encoding"
        known = [tag.strip().removeprefix("W/") for tag in asked.get("if-none-match", "").split(",")]
        if kept.etag.removeprefix("W/") in known:
            return NotModifiedResponse(Headers(headers))
        content = kept.content
        if kept.compressed and "gzip" in asked.get("accept-encoding", ""):
            headers["Content-Encoding"], content = "gzip", kept.compressed
        return Response(content, headers=headers, media_type=MEDIA_TYPES.get(Path(path).suffix, "text/plain"))

    def keep(self, path: str) -> StaticFile:
        """What is in memory, read again after a change. Raises HTTPException."""
        parts = [self.part(each) for each in self.parts(path)]
        changed = tuple(stat.st_mtime_ns for _, stat in parts)
        kept = self.kept.get(path)
        if kept is None or kept.changed != changed:
            content = joined(path, [Path(place).read_bytes() for place, _ in parts])
            compressed = compress(content, 9, mtime=0) if path.endswith(TEXTS) else None
            # Weak: the same however it is sent.
            kept = StaticFile(changed, content, compressed, f'W/"{sha256(content).hexdigest()[:16]}"')
            if len(self.kept) >= MOST:
                self.kept.clear()
            self.kept[path] = kept
        return kept

    def parts(self, path: str) -> tuple[str, ...]:
        if not scripts.ADDRESS.fullmatch(path):
            return JOINED.get(path, (path,))
        try:
            return tuple(f"js/{name}.js" for name in scripts.parts(path))
        except OSError:  # there is no such module
            raise HTTPException(404) from None

    def part(self, path: str) -> tuple[str, stat_result]:
        try:
            place, stat = self.lookup_path(path)
        except (OSError, ValueError):  # such as a name that is too long
            stat = None
        if stat is None or not S_ISREG(stat.st_mode):
            raise HTTPException(404)
        return place, stat
