"""What Kubernetes makes of `$` in a container's command, arguments and variables.

`$(NAME)` becomes the value of a variable of the same container, and stays as it is where there is
none; `$$` becomes `$` wherever it stands; and of a `$` before a character outside ASCII only the
first byte of that character is read, as if it were a whole one. All else is left alone.

Source: kubernetes/kubernetes, third_party/forked/golang/expansion/expand.go, and its use in
pkg/kubelet/kubelet_pods.go (makeEnvironment) and pkg/kubelet/container/helpers.go.
"""

from __future__ import annotations

import re

# Runs of `$` of which Kubernetes would not leave every one as it is.
_READ = re.compile(r"\$+(?=[(\u0080-\U0010ffff])|\$\$+")


def unexpanded(text: str) -> str:
    """Write a text so that a container is given the very same one, whatever its variables are."""
    return _READ.sub(lambda run: 2 * run[0], text)


def as_given(text: str) -> str:
    """Return the text that a container is given, where `$(NAME)` names no variable of it."""
    return text.replace("$$", "$")
