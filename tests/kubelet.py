"""How a kubelet turns a container's fields into what the process is given.

From the description of `command`, `args` and `env` in k8s.io/api core/v1 types.go, and from the
cases in kubernetes/kubernetes third_party/forked/golang/expansion/expand_test.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` and `$$`, byte by byte as Go does."""
    rest, out = text.encode(), b""
    while rest:
        if rest[:1] != b"$" or len(rest) == 1:
            out, rest = out + rest[:1], rest[1:]
        elif rest[1:2] == b"$":
            out, rest = out + b"$", rest[2:]
        elif rest[1:2] == b"(" and b")" in rest:
            name, _, rest = rest[2:].partition(b")")
            known = variables.get(name.decode("utf-8", "replace"))
            out += b"$(" + name + b")" if known is None else known.encode()
        else:
            # Go's string(byte) is the character of that number, in UTF-8.
            out, rest = out + b"$" + chr(rest[1]).encode(), rest[2:]
    return out.decode("utf-8", "replace")


def started(container: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The words and the variables with a fixed value that a container's process gets."""
    variables: dict[str, str] = {}
    for entry in container.get("env", []):
        if "value" in entry:
            variables[entry["name"]] = expand(entry["value"], variables)
    words = [*container.get("command", []), *container.get("args", [])]
    return [expand(word, variables) for word in words], variables
