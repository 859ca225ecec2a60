"""The site: every file that a market serves, and what its code answers from.

A pure function of catalog, packages and icons: no clock, no disk, no network. Packages and icons
are described by digest and size and read again when they are served, so that a market of ten
thousand apps needs no memory for them; all other files are held as bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from chartgen.errors import RefusedError, UnreadableError
from chartgen.market.catalog import Catalog, CatalogApp, Offer, ReadFile
from chartgen.market.helm_index import helm_index
from chartgen.market.pieces import Recall, made_anew
from chartgen.market.settings import MarketSettings
from chartgen.market.v1 import Entry, Info, entry, hash_text, info
from chartgen.market.v2 import Applications, catalog_data, item, taxonomy_text
from chartgen.package.write import package_name
from chartgen.release.ledger import ICONS
from chartgen.release.record import PackageRecord

# Exactly this, without a charset: devices decode an answer only by this type
# (market-protocol-v1 §1.2, §2.2).
JSON = "application/json"
GZIP = "application/gzip"
PNG = "image/png"
SVG = "image/svg+xml"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
YAML = "application/yaml"

# Where the devices of each platform find their market (design §6).
PREFIXES: Mapping[str, str] = {"modern": "", "legacy": "/legacy"}
# Answered by code, each for every base: what a query or a body decides (routes.py).
DETAILS_PATH = "/api/v1/applications/info"
CATALOG_PATH = "/api/v2/catalog"
APPLICATIONS_PATHS = ("/api/v2/applications", "/api/v2/browse/applications")
INDEX = "index.html"
CHECKSUMS = "/sha256sums"

# What categories and the market show where market.yaml names no picture: four tiles.
_PICTURE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="#6b7280">'
    b'<path d="M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z"/></svg>\n'
)


@dataclass(frozen=True, slots=True)
class SiteFile:
    """One static file: its bytes, or (with `data` None) the file `source` that has them.

    `source` is a path below `market/releases`. What is `immutable` never changes at its path.
    """

    content_type: str
    sha256: str
    size: int
    data: bytes | None = None
    source: str = ""
    immutable: bool = False

    @classmethod
    def of(cls, data: bytes, content_type: str, *, immutable: bool = False) -> SiteFile:
        """Return a file that is held as bytes."""
        digest = hashlib.sha256(data).hexdigest()
        return cls(content_type, digest, len(data), data, immutable=immutable)

    @property
    def cache_control(self) -> str:
        """Return how long a cache may keep the file."""
        if self.immutable:
            return "public, max-age=31536000, immutable"
        # A device must never pair an old list with a new hash.
        return "no-store" if self.content_type == JSON else "public, max-age=0, must-revalidate"


@dataclass(frozen=True, slots=True)
class Base:
    """The market of one platform, below a prefix of the path.

    `hash` is what devices compare. `details` maps an app's id to the JSON text that a details
    answer holds of it, `charts` a package's name to the site path of its file. `catalog_v2` is
    the data of the v2 catalog without `source_id`, which is `source_id` unless a caller states
    another. `olares_version` is the version that answers name.
    """

    prefix: str
    platform: str
    hash: str
    details: Mapping[str, str]
    charts: Mapping[str, str]
    catalog_v2: Mapping[str, Any]
    applications: Applications
    source_id: str
    olares_version: str


@dataclass(frozen=True)
class Site:
    """All files by their paths (each begins with `/`) in order, and the bases."""

    files: Mapping[str, SiteFile]
    bases: tuple[Base, ...]
    read: ReadFile = field(repr=False, compare=False)

    def content(self, path: str) -> bytes:
        """Return the bytes of a file.

        Raises UnreadableError where the file on disk is not the one that was published.
        """
        file = self.files[path]
        if file.data is not None:
            return file.data
        data = self.read(file.source)
        if len(data) != file.size or hashlib.sha256(data).hexdigest() != file.sha256:
            raise UnreadableError(f"{file.source}: has changed; restore the file from git")
        return data


def build_site(
    catalog: Catalog,
    read: ReadFile,
    pages: Mapping[str, SiteFile] | None = None,
    recall: Recall = made_anew,
) -> Site:
    """Return the site of a catalog; `pages` are further files by site path, such as web pages.

    Raises RefusedError where a page has the path of another file, and what `read` raises.
    """
    picture = SiteFile.of(_PICTURE, SVG, immutable=True)
    picture_path = f"/icons/market-{picture.sha256[:8]}.svg"
    shared = [(picture_path, picture), *_icons(catalog, read), *(pages or {}).items()]
    files, bases = list(shared), []
    for platform, prefix in PREFIXES.items():
        # The first base is there for an empty market too.
        if not prefix or any(catalog.on(platform)):
            draft = _draft(catalog, platform, f"{catalog.settings.url}{picture_path}", recall)
            base, answers = draft.finished(shared)
            bases.append(base)
            files += [*draft.files.items(), *answers.items()]
    whole = _in_order(files)
    checksums = SiteFile.of(_checksums(whole), TEXT)
    return Site(_in_order((*whole.items(), (CHECKSUMS, checksums))), tuple(bases), read)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A base before its hash is known: the files that are final, and the makers of the others."""

    prefix: str
    platform: str
    source_id: str
    info: Info
    details: Mapping[str, str]
    applications: Applications
    files: Mapping[str, SiteFile]

    def finished(self, shared: Sequence[tuple[str, SiteFile]]) -> tuple[Base, dict[str, SiteFile]]:
        """Return the base with its hash, and the files that hold it.

        The hash covers everything that is seen below the base: its own files, the files that all
        bases share, the details, and the list of apps as it stands around the hash.
        """
        own = [(path, file.sha256) for path, file in sorted(self.files.items())]
        content = _digest([*_flat(own), *_flat(self.details.items())])
        seen = [(path, file.sha256) for path, file in _in_order(shared).items()]
        content_hash = _digest([content, *_flat(seen), self.info.before, self.info.after])
        base = Base(
            prefix=self.prefix,
            platform=self.platform,
            hash=content_hash,
            details=self.details,
            charts={
                path.rpartition("/")[2]: path
                for path, file in self.files.items()
                if file.content_type == GZIP
            },
            catalog_v2=catalog_data(self.applications.newest_ms, content),
            applications=self.applications,
            source_id=self.source_id,
            olares_version=self.info.version,
        )
        answers = {
            "/api/v1/appstore/hash": hash_text(self.info, content_hash).encode(),
            "/api/v1/appstore/info": self.info.answer(content_hash),
        }
        return base, {
            f"{self.prefix}{path}": SiteFile.of(data, JSON) for path, data in answers.items()
        }


def _draft(catalog: Catalog, platform: str, picture: str, recall: Recall) -> _Draft:
    prefix, settings = PREFIXES[platform], catalog.settings
    entries, live = [], []
    for app, offer in catalog.on(platform):
        entries.append(_entry(app, offer, settings, recall))
        if app.retired is None:
            live.append(item(app, offer, settings))
    applications = Applications(
        items=tuple(item.text for item in live),
        removed=tuple(entry.id for entry in entries if entry.removed),
        newest_ms=max((entry.modified_ms for entry in entries), default=0),
    )
    taxonomy = taxonomy_text(
        live, entries, settings, newest_ms=applications.newest_ms, icon=picture
    )
    applications_file = SiteFile.of(applications.text().encode(), JSON)
    date = max((_newest_date(app, platform) for app, _ in catalog.on(platform)), default="")
    return _Draft(
        prefix=prefix,
        platform=platform,
        source_id=settings.source,
        info=info(entries, settings, platform, date, picture),
        details={entry.id: entry.detail for entry in entries},
        applications=applications,
        files={
            f"{prefix}/api/v2/taxonomy": SiteFile.of(taxonomy.encode(), JSON),
            **{f"{prefix}{path}": applications_file for path in APPLICATIONS_PATHS},
            f"{prefix}/index.yaml": SiteFile.of(helm_index(catalog, platform).encode(), YAML),
            **dict(_charts(catalog, platform)),
        },
    )


def _entry(app: CatalogApp, offer: Offer, settings: MarketSettings, recall: Recall) -> Entry:
    def make() -> dict[str, Any]:
        made = entry(app, offer, settings)
        return asdict(made) | {"categories": [*made.categories], "locales": [*made.locales]}

    known = recall(app.name, f"entry {offer.platform}", make)
    lists = {name: tuple(known[name]) for name in ("categories", "locales")}
    return Entry(**known | lists)


def _newest_date(app: CatalogApp, platform: str) -> str:
    lines = (*app.releases(platform), *([app.retired] if app.retired else []))
    return max(line.date for line in lines)


def _charts(catalog: Catalog, platform: str) -> Iterator[tuple[str, SiteFile]]:
    """Yield every package that was ever published: a device may still ask for it."""
    for app in catalog.apps:
        for release in app.releases(platform):
            record = release.package(platform)
            assert record is not None
            name = package_name(release.name, release.version)
            yield f"{PREFIXES[platform]}/charts/{name}", _chart(record)


def _chart(record: PackageRecord) -> SiteFile:
    return SiteFile(GZIP, record.sha256, record.size_bytes, source=record.file, immutable=True)


def _icons(catalog: Catalog, read: ReadFile) -> Iterator[tuple[str, SiteFile]]:
    """Yield every icon that was ever published, once: installed charts name it."""
    names = {release.icon for app in catalog.apps for release in app.history if release.icon}
    for name in sorted(names):
        source = f"{ICONS}/{name}"
        data = read(source)
        digest = hashlib.sha256(data).hexdigest()
        yield f"/icons/{name}", SiteFile(PNG, digest, len(data), source=source, immutable=True)


def _in_order(pairs: Iterable[tuple[str, SiteFile]]) -> dict[str, SiteFile]:
    files: dict[str, SiteFile] = {}
    for path, file in pairs:
        if path in files:
            raise RefusedError(f"{path}: two files of the site have this path; rename one of them")
        files[path] = file
    return dict(sorted(files.items()))


def _checksums(files: Mapping[str, SiteFile]) -> bytes:
    """Return the digests of all files as `sha256sum -c` reads them at the site's root."""
    return "".join(f"{file.sha256}  {path[1:]}\n" for path, file in files.items()).encode()


def _flat(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for pair in pairs:
        yield from pair


def _digest(parts: Iterable[str | bytes]) -> str:
    """Return the SHA-256 over parts, each with its length, so that none runs into the next."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(f"{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()
