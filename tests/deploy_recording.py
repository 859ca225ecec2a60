"""What of a request to Cloudflare is worth comparing, as plain data."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from tests.cloudflare_stub import TOKEN, Call, Part

# Headers that carry meaning; all others belong to the HTTP library.
HEADERS = ("cloudflare-workers-script-api-date",)
IDS = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}")
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.marker-(session|complete)-\d+")


def recorded(call: Call) -> dict[str, Any]:
    """Return a request without its tokens, ids and what the HTTP library adds."""
    kind = call.headers.get("content-type", "").partition(";")[0]
    data: dict[str, Any] = {
        "call": IDS.sub("ID", call.line),
        "query": dict(sorted(call.query.items())),
        "bearer": bearer(call),
        "headers": {name: call.headers[name] for name in HEADERS if name in call.headers},
    }
    if kind:
        data["content_type"] = kind
    if kind == "multipart/form-data":
        data["parts"] = [recorded_part(part) for part in call.parts]
    elif call.body:
        data["json"] = plain(call.json)
    return data


def bearer(call: Call) -> str:
    """Say whose token it was."""
    token = call.headers.get("authorization", "").removeprefix("Bearer ")
    if token == TOKEN:
        return "account"
    found = JWT.fullmatch(token)
    return found[1] if found else token


def recorded_part(part: Part) -> dict[str, Any]:
    """Return a part: metadata as data, all else as its digest."""
    data: dict[str, Any] = {
        "name": part.name,
        "filename": part.filename,
        "content_type": part.content_type,
    }
    if part.name == "metadata":
        data["json"] = plain(json.loads(part.data))
    else:
        data["sha256"] = hashlib.sha256(part.data).hexdigest()
        data["size"] = len(part.data)
    return data


def plain(value: Any) -> Any:
    """Return data with ids and tokens named instead of shown."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return JWT.sub(r"\1", IDS.sub("ID", value))
    return value
