"""Scalar types of market.yaml, each with what people are told where a value is none."""

from __future__ import annotations

from chartgen.spec.values import matching

# What a device's dialog takes: https, a host name with a top-level domain, no user, query or
# fragment (market-protocol-v1 §4), and no slash at the end.
ADDRESS = r"^https://([A-Za-z0-9-]+\.)+[A-Za-z]{2,}(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*$"

MarketAddress = matching(
    ADDRESS,
    "address that a device takes",
    "Write https:// and a host name with a dot in it, such as https://apps.example.org, without a "
    "slash at the end, and without `?` and `#`.",
)
PictureAddress = matching(
    r"^https://\S{1,492}$",
    "address of a picture",
    "Write an address that begins with https://, at most 500 characters.",
)
MarketTitle = matching(
    r"^[A-Za-z0-9]{1,10}$",
    "title of a market",
    "Write 1 to 10 letters or digits, and no spaces: devices take no other.",
    scalars=True,
)
# A column of 50 characters on the device (market-protocol-v1 §2.4).
SourceId = matching(
    r"^[A-Za-z0-9.-]{1,50}$",
    "id of a source",
    "Use letters, digits, dots and dashes, at most 50.",
    scalars=True,
)
CategoryName = matching(
    r"^[^,/\x00-\x1f]{1,50}$",
    "name of a category",
    "Write 1 to 50 characters on one line, without commas and slashes.",
    scalars=True,
)
WorkerName = matching(
    r"^[a-z]([a-z0-9-]{0,52}[a-z0-9])?$",
    "name of a Worker",
    "Use lower-case letters, digits and dashes, at most 54; a letter first, and no dash last.",
    scalars=True,
)
Domain = matching(
    r"^[a-z0-9.-]+\.[a-z]{2,}$",
    "domain",
    "Write a name such as market.example.com, in lower case, without https:// and without a path.",
)
AccountName = matching(
    r"^[a-z0-9-]{1,63}$",
    "name on workers.dev",
    "Use lower-case letters, digits and dashes, at most 63.",
    scalars=True,
)
SiteFolder = matching(
    r"^[A-Za-z0-9_-][^/\\]*(/[A-Za-z0-9_-][^/\\]*)*$",
    "folder of the market",
    "Write a path inside the market's folder, such as dist/site; no part of it begins with a dot.",
    scalars=True,
)
