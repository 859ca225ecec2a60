"""What is read of the answers of Cloudflare's API; more may come and is left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from chartgen.errors import RefusedError, RemoteError
from chartgen.market.deploy.secret import Secret

_TAG, _MESSAGE = "workers/tag", "workers/message"


class Shape(BaseModel):
    """Part of an answer."""

    # Values are kept out of error texts: one of them may be a token.
    model_config = ConfigDict(
        frozen=True, extra="ignore", arbitrary_types_allowed=True, hide_input_in_errors=True
    )


def _token(value: Any) -> Secret | None:
    if not value:
        return None
    if not isinstance(value, str):
        raise ValueError("a token is text")
    try:
        return Secret(value)
    except RefusedError:
        raise ValueError("no header can carry the token") from None


def _texts(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {key: text for key, text in pairs if isinstance(key, str) and isinstance(text, str)}


Token = Annotated[Secret, BeforeValidator(_token)]
Annotations = Annotated[Mapping[str, str], BeforeValidator(_texts)]
# It becomes part of the addresses that are asked.
VersionId = Annotated[str, Field(pattern=re.compile(r"^[0-9a-f-]{8,64}$"))]


class Share(Shape):
    """How much of the traffic a version gets, in percent."""

    version_id: VersionId
    percentage: float


class Deployment(Shape):
    """Which versions are live from some moment on."""

    id: str
    created_on: str = ""
    author_email: str | None = None
    versions: tuple[Share, ...] = Field(min_length=1)

    @property
    def version_id(self) -> str:
        """Return the version that most of the traffic goes to."""
        return max(self.versions, key=lambda share: share.percentage).version_id

    def is_all(self, version_id: str) -> bool:
        """Tell whether a version gets all of the traffic."""
        return [share.version_id for share in self.versions if share.percentage > 0] == [version_id]


class Deployments(Shape):
    """The deployments of a Worker, newest first."""

    deployments: tuple[Deployment, ...]


class Version(Shape):
    """One version of a Worker. Its tag and message were given at the upload."""

    id: VersionId
    annotations: Annotations = Field(default_factory=dict)

    @property
    def tag(self) -> str:
        """Return the tag, empty if it has none."""
        return self.annotations.get(_TAG, "")

    @property
    def message(self) -> str:
        """Return the message, empty if it has none."""
        return self.annotations.get(_MESSAGE, "")


class Versions(Shape):
    """The versions of a Worker, newest first."""

    items: tuple[Version, ...]


class UploadSession(Shape):
    """Which files are wanted. Without any, the token is the proof that all of them are there."""

    jwt: Token
    buckets: tuple[tuple[str, ...], ...] = ()


class Uploaded(Shape):
    """The answer to a bucket; the proof comes when all files are there."""

    jwt: Annotated[Secret | None, BeforeValidator(_token)] = None


class AccountName(Shape):
    """The account's name below workers.dev."""

    subdomain: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]


class Reach(Shape):
    """Where a Worker is reached on workers.dev: at its name, and at each version's own address."""

    enabled: bool = False
    previews_enabled: bool = False


class Domain(Shape):
    """A domain that leads to a Worker."""

    hostname: str
    service: str = ""


class Domains(Shape):
    """Domains that lead to Workers."""

    items: tuple[Domain, ...]


S = TypeVar("S", bound=Shape)


def shaped(shape: type[S], found: Any, doing: str) -> S:
    """Read the result of a call. Raises RemoteError where it has another shape."""
    try:
        return shape.model_validate(found)
    except ValidationError as error:
        faults = sorted({".".join(map(str, fault["loc"])) or "all" for fault in error.errors()})
    raise RemoteError(
        f"{doing}: Cloudflare's answer is not what its documentation says (at fault: "
        f"{', '.join(faults[:5])}). Run this again; if it stays so, report it."
    )
