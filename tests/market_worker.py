"""What the market's Worker answers, from the modules that were uploaded of it.

As far as a publish asks for it: details of apps, and charts by their names. The Worker itself is
tested in Cloudflare's runtime; this is for tests that publish without that.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise

from tests.cloudflare_stub import Call, Cloudflare, Reply, Script, Version

_CHART = re.compile(r"(|/legacy)/api/v[12]/applications/[^/]+/chart")
_JSON = {"Content-Type": "application/json"}


def market_worker(cloudflare: Cloudflare) -> Script:
    """Return the script of every version on a stub."""

    def answer(version: Version, call: Call) -> Reply:
        source = version.modules["data.js"][1].decode()
        market = json.loads(source.removeprefix("export default ").rstrip(";\n"))
        texts = version.modules["texts.bin"][1]
        for base in market["bases"]:
            if call.path == f"{base['prefix']}/api/v1/applications/info":
                known = dict(zip(base["ids"], _details(base, texts), strict=True))
                wanted = call.json["app_ids"]
                apps = ",".join(known[id_] for id_ in wanted if id_ in known)
                missing = json.dumps([id_ for id_ in wanted if id_ not in known])
                end = f'"not_found":{missing},"version":{base["version"]}'
                return Reply(200, f'{{"apps":{{{apps}}},{end}}}'.encode(), _JSON)
        if match := _CHART.fullmatch(call.path):
            digest = version.manifest.get(f"{match[1]}/charts/{call.query['fileName']}")
            if digest is not None:
                asset = cloudflare.assets[digest]
                return Reply(200, asset.data, {"Content-Type": asset.content_type})
        return Reply(404, b'{"error":"nothing is here"}', _JSON)

    return answer


def _details(base: dict[str, list[int]], texts: bytes) -> list[str]:
    """Each app's id and details; in the module a comma stands before each."""
    return [texts[start + 1 : end].decode() for start, end in pairwise(base["detailStarts"])]
