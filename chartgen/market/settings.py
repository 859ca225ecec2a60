"""market.yaml: what all apps of a market share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StrictBool, ValidationError

from chartgen.document import Document, read_document
from chartgen.errors import UnreadableError
from chartgen.findings import Finding, in_order
from chartgen.lint.rules import finding
from chartgen.market.layout import MARKET_FILE
from chartgen.market.values import (
    AccountName,
    CategoryName,
    Domain,
    MarketAddress,
    MarketTitle,
    PictureAddress,
    SiteFolder,
    SourceId,
    WorkerName,
)
from chartgen.spec.faults import spec_findings
from chartgen.spec.values import Locale, Part, Shorthand, Text

if TYPE_CHECKING:
    from chartgen.spec.app import AppSpec

# What `init` writes; nobody can reach it.
PLACEHOLDER = "https://market.example.com"


class Category(Part):
    """How a device shows one category of apps."""

    name: CategoryName = Field(description="Name of the category, as apps write it.")
    titles: Mapping[Locale, Text] = Field(
        default_factory=dict, description="What devices show instead of the name, by language."
    )
    icon: PictureAddress | None = Field(None, description="Address of its picture in the side bar.")


CategoryField = Annotated[
    Category, Shorthand(lambda v: {"name": v} if isinstance(v, str) else v, {"type": "string"})
]


class CloudflareTarget(Part):
    """A Worker with static assets. The token comes from CLOUDFLARE_API_TOKEN only."""

    worker: WorkerName = Field(
        description="Name of the Worker, part of its address on workers.dev."
    )
    domain: Domain | None = Field(
        None, description="Domain of your own, in a zone of the same account."
    )
    zone: Domain | None = Field(
        None, description="Name of that zone, where Cloudflare cannot tell it from the domain."
    )
    account_name: AccountName | None = Field(
        None, description="Name on workers.dev to register where the account has none yet."
    )
    check_first: StrictBool = Field(
        True,
        description="Ask a new version at its own address on workers.dev before it goes live.",
    )


class Target(Part):
    """Where `chartgen publish` puts the market: a folder, or Cloudflare Workers."""

    folder: SiteFolder = Field(
        "dist/site", description="Folder that any web server with one function can serve."
    )
    cloudflare: CloudflareTarget | None = Field(
        None, description="Cloudflare Workers; then the folder is not written."
    )


class MarketSettings(Part):
    """Settings of a market."""

    title: MarketTitle = Field(
        "Market", description="Name of the source on a device: 1 to 10 letters or digits."
    )
    url: MarketAddress = Field(
        PLACEHOLDER,
        description="Address under which devices reach the market; icons are shown from there.",
    )
    hardware: Text = Field("olares-one", description="Default hardware profile of the apps.")
    developer: Text = Field("unknown", description="Developer named where an app names none.")
    submitter: Text | None = Field(None, description="Who publishes the market.")
    description: Text = Field("", description="What the market offers, in a sentence or two.")
    source_id: SourceId | None = Field(
        None, description="Id of the source; by default the one that a device makes of the title."
    )
    icon: PictureAddress | None = Field(None, description="Address of the market's own picture.")
    categories: tuple[CategoryField, ...] = Field(
        (), description="Categories in the order in which devices show them; others come after."
    )

    publish: Target = Field(
        Target(), description="Where the market is published; by default into a folder."
    )

    @property
    def source(self) -> str:
        """Return the id of the source: what a device makes of a title where none is given.

        Source: beclab/Olares, AddSourceDialog.vue (market-protocol-v1 §4).
        """
        return self.source_id or f"market.{self.title}"


def own_machine(spec: AppSpec, market: MarketSettings | None) -> str:
    """Return the hardware profile that an app is made for: the one it states, else the market's.

    None stands for a market whose settings cannot be read: the default of one counts then.
    """
    return spec.hardware or (market or MarketSettings.model_validate({})).hardware


def load_market(folder: Path) -> tuple[MarketSettings | None, tuple[Finding, ...]]:
    """Read market.yaml below a folder.

    A folder without one has the default settings. Raises UnreadableError where the file cannot be
    opened.
    """
    path = folder / MARKET_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return MarketSettings.model_validate({}), ()
    except OSError as error:
        raise UnreadableError(f"{path.as_posix()}: cannot be read ({error.strerror})") from error
    document, findings = read_document(data, MARKET_FILE)
    if document is None:
        return None, findings
    try:
        settings = MarketSettings.model_validate(document.value or {})
    except ValidationError as error:
        return None, in_order((*findings, *spec_findings(error, document, MarketSettings)))
    repeated = _repeated_categories(settings, document)
    return (None, in_order((*findings, *repeated))) if repeated else (settings, findings)


def _repeated_categories(settings: MarketSettings, document: Document) -> tuple[Finding, ...]:
    names = [category.name for category in settings.categories]
    return tuple(
        finding(
            "category-twice",
            document.place(("categories", index)),
            f"the category {name!r} stands here again",
        )
        for index, name in enumerate(names)
        if name in names[:index]
    )
