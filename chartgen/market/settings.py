"""market.yaml: what all apps of a market share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from chartgen.document import read_document
from chartgen.errors import UnreadableError
from chartgen.findings import Finding, in_order
from chartgen.market.layout import MARKET_FILE
from chartgen.spec.faults import spec_findings
from chartgen.spec.values import Part, Text


class MarketSettings(Part):
    """Settings of a market."""

    title: Annotated[Text, Field(pattern=r"^[A-Za-z0-9]{1,10}$")] = Field(
        "Market", description="Name of the source on a device: 1 to 10 letters or digits."
    )
    url: Annotated[Text, Field(pattern=r"^https://[^/\s]+(/[^\s]*[^/\s])?$")] = Field(
        "https://market.example.com",
        description="Address under which devices reach the market; icons are shown from there.",
    )
    hardware: Text = Field("olares-one", description="Default hardware profile of the apps.")
    developer: Text = Field("unknown", description="Developer named where an app names none.")
    submitter: Text | None = Field(None, description="Who publishes the market.")


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
    return settings, findings
