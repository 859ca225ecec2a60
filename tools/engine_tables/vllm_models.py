"""The architectures that a release of vLLM implements, read from its registry of models."""

from __future__ import annotations

import ast
from pathlib import Path

REGISTRY = Path("vllm") / "model_executor" / "models" / "registry.py"
# Put together from the others, or lists of what is refused.
_OTHERS = frozenset({"_VLLM_MODELS", "_PREVIOUSLY_SUPPORTED_MODELS", "_OOT_SUPPORTED_MODELS"})


def architectures(folder: Path) -> list[str]:
    """Return the class names, as `architectures` of a config.json has them, in order.

    `folder` holds the release's .py files. The registry is read as text: importing it would need
    every model's own packages.
    """
    found: set[str] = set()
    for node in ast.parse((folder / REGISTRY).read_text(encoding="utf-8")).body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        if any(name.endswith("_MODELS") for name in names - _OTHERS):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            if isinstance(node.value, ast.Dict):
                keys = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
                found |= {key for key in keys if isinstance(key, str)}
    return sorted(found)
