"""The market protocols as a device decodes them, written from the protocol notes alone.

Types are strict, as Go's are: an integer is no float and no text, a map is no list. Where the notes
list the fields of an answer whole, a further one is refused, because it can only be a slip.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

# RFC 3339 with nine digits of a second, in UTC.
Moment = Annotated[
    str, Field(pattern=r"^\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d\.\d{9}Z$", max_length=30)
]
# Decimal bytes; empty where nothing is asked for.
Bytes = Annotated[str, Field(pattern=r"^([1-9][0-9]*|0|)$")]
Cores = Annotated[str, Field(pattern=r"^([0-9]+(\.[0-9]+)?|)$")]
Languages = dict[str, str]
HexId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
AppName = Annotated[str, Field(pattern=r"^[a-z0-9]{1,30}$")]
Version = Annotated[
    str,
    Field(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$", max_length=16),
]
Digest = Annotated[str, Field(min_length=1)]


class Decoded(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Whole(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class DecodedCamel(Decoded):
    model_config = ConfigDict(alias_generator=to_camel)


class WholeCamel(Whole):
    model_config = ConfigDict(alias_generator=to_camel)


class Hash(Decoded):
    """v1 §2.1"""

    hash: Digest
    last_updated: Moment
    version: Annotated[str, Field(min_length=1)]


class PageItem(Whole):
    type: Literal["Recommends", "Topic", "Default Topic"]
    id: str


class Page(DecodedCamel):
    """v1 §2.2"""

    category: str
    content: str
    updated_at: str = Field("", alias="updated_at")
    created_at: str = ""
    source: int = 0


class Tag(DecodedCamel):
    id_: Annotated[str, Field(alias="_id")]
    name: str
    icon: str
    title: Languages
    sort: int
    source: int
    updated_at: str = Field("", alias="updated_at")
    created_at: str = ""


class TopicTexts(Decoded):
    group: str = ""
    title: str = ""
    des: str = ""
    iconimg: str = ""
    detailimg: str = ""
    richtext: str = ""
    apps: str = ""


class Topic(Decoded):
    id_: Annotated[str, Field(alias="_id")]
    name: str
    data: dict[str, TopicTexts]
    source: int = 0


class TopicList(Decoded):
    name: str
    type: Literal["Topic", "Category"]
    description: str = ""
    content: str
    title: Languages
    source: int = 0


class RecommendTexts(Decoded):
    title: Languages
    description: Languages


class Recommend(Decoded):
    name: str
    description: str = ""
    content: str
    data: RecommendTexts
    source: int = 0


class Top(DecodedCamel):
    app_id: AppName
    appid: AppName
    rank: int


class Translation(Whole):
    """v1 §2.4"""

    class Metadata(Whole):
        title: str = ""
        description: str = ""

    class Spec(WholeCamel):
        full_description: str = ""
        upgrade_description: str = ""

    metadata: Metadata
    entrances: None
    spec: Spec


class HistoryLine(WholeCamel):
    app_name: AppName
    version: Version
    version_name: str
    merged_at: Moment
    upgrade_description: str


class Summary(WholeCamel):
    """v1 §2.3, §2.4 and §6 item 12: a summary has all of a detail but the history."""

    id: HexId
    app_id_: HexId = Field(alias="appID")
    name: AppName
    cfg_type: str
    chart_name: str
    icon: Annotated[str, Field(pattern=r"^https://\S+$")]
    version: Version
    api_version: Annotated[str, Field(max_length=32)]
    version_name: str
    title: Annotated[str, Field(min_length=1)]
    description: str
    full_description: str
    upgrade_description: str
    categories: Annotated[list[str], Field(min_length=1)]
    tags: list[str]
    app_labels: list[str]
    locale: list[str]
    support_arch: Annotated[list[str], Field(min_length=1)]
    promote_image: list[str]
    screenshots: list[str]
    developer: str
    required_memory: Bytes
    required_disk: Bytes
    required_gpu: Bytes = Field(alias="requiredGPU")
    required_cpu: Cores = Field(alias="requiredCPU")
    limited_memory: Bytes
    limited_disk: Bytes
    limited_gpu: Bytes = Field(alias="limitedGPU")
    limited_cpu: Cores = Field(alias="limitedCPU")
    entrances: list[dict[str, Any]]
    options: dict[str, Any]
    permission: dict[str, Any]
    support_client: dict[str, Any]
    i18n: dict[str, Translation] = Field(alias="i18n")
    only_admin: bool
    featured_image: str
    updated_at: Moment = Field(alias="updated_at")
    promote_video: str = ""
    sub_category: str = ""
    target: str = ""
    submitter: str = ""
    doc: str = ""
    website: str = ""
    source_code: str = ""
    namespace: str = ""
    ports: list[dict[str, Any]] = []
    envs: list[dict[str, Any]] = []
    license: list[dict[str, Any]] = []
    sub_charts: list[dict[str, Any]] = []
    middleware: dict[str, Any] = {}
    tailscale: dict[str, Any] = {}


class Detail(Summary):
    version_history: Annotated[list[HistoryLine], Field(min_length=1)]


class InfoData(Decoded):
    apps: dict[HexId, Summary]
    recommends: dict[str, Recommend]
    pages: dict[str, Page]
    topics: dict[str, Topic]
    topic_lists: dict[str, TopicList]
    tags: dict[str, Tag]
    tops: list[Top]
    latest: list[AppName]


class Info(Decoded):
    """v1 §2.2, with generation B's strictness."""

    version: Annotated[str, Field(min_length=1)]
    hash: Digest
    last_updated: Moment
    stats: dict[str, Any] | None = None
    data: InfoData


class Details(Decoded):
    apps: dict[HexId, Detail]
    version: str
    not_found: list[str] = []


class Envelope(Whole):
    """v2: what is around every answer."""

    code: Literal[0]
    msg: Literal["success"]


class CatalogData(Whole):
    schema_version: Literal["v2"]
    source_id: Annotated[str, Field(min_length=1)]
    taxonomy_last_modify_time: int
    apps_last_modify_time: int
    apps_filter_digest: Digest


class CatalogV2(Envelope):
    data: CatalogData


class Source(Whole):
    source_id: Annotated[str, Field(min_length=1)]
    short_label: str
    display_name: Languages
    icon: str
    is_official: Literal[False]


class Language(Whole):
    code: str
    display_name: str
    sort: int
    enabled: bool


class CategoryV2(Whole):
    id: str
    builtin: Literal[False]
    sort: int
    icon: str
    title: Languages
    description: Languages


class PageItemV2(Whole):
    id: Literal["all"]
    type: Literal["all"]


class PageV2(Whole):
    category_id: str
    items: list[PageItemV2]


class TaxonomyData(Whole):
    last_modify_time: int
    source: Source
    languages: list[Language]
    categories: list[CategoryV2]
    nav: list[str]
    pages: list[PageV2]
    tags: list[Any]
    topic_lists: list[Any]
    topics: list[Any]
    recommends: list[Any]


class Taxonomy(Envelope):
    data: TaxonomyData


class ItemV2(Whole):
    app_id: HexId
    name: AppName
    title: str
    version: Version
    icon: str
    featured_image: str
    cfg_type: Literal["app", "middleware"]
    categories: list[str]
    categories_v2: list[str]
    tags: list[str]
    app_labels: list[str]
    olares_version_constraint: Annotated[str, Field(min_length=1)]
    last_modify_time: int
    updated_at: int


class ApplicationsData(Whole):
    items: list[ItemV2]
    removed: list[HexId]
    has_more: bool
    max_last_modify_time: int
    total: int
    page: int
    page_size: int


class Applications(Envelope):
    data: ApplicationsData


def strict_json(data: bytes) -> Any:
    """Parse JSON in which no key stands twice and no number is none."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"a key stands twice in {keys}"
        return dict(pairs)

    def constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_constant=constant)
