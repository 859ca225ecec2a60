"""Devices embed Helm 3: it must give the same objects as the Helm 4 that `check` renders with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from chartgen.package.read import read_chart

ROOT = Path(__file__).resolve().parent.parent
CHARTS = sorted((ROOT / "tests" / "golden").glob("*/*"))
VALUES: dict[str, dict[str, Any]] = {
    "nothing injected": {},
    "identity only": {"admin": "owner", "bfl": {"username": "owner"}, "isAdmin": True},
    "a device": {
        "admin": "owner",
        "bfl": {"username": "owner"},
        "GPU": {"Type": "nvidia", "Cuda": "12.9"},
        "userspace": {
            "appData": "/olares/userdata/Data/app",
            "appCache": "/olares/appcache/app",
            "userData": "/olares/userdata/Home",
            "appCommon": "/olares/rootfs/Common",
        },
        "olaresEnv": {"HF_TOKEN": "hf_x", "HF_ENDPOINT": "https://hub.example.com"},
    },
}


def helm3() -> str | None:
    own = ROOT / ".tools" / "bin" / "helm3"
    return str(own) if own.is_file() else shutil.which("helm3")


def objects(text: str) -> dict[tuple[str, str], Any]:
    loaded = [item for item in yaml.safe_load_all(text) if item]
    return {(item["kind"], item["metadata"]["name"]): item for item in loaded}


@pytest.mark.helm
@pytest.mark.skipif(helm3() is None, reason="no Helm 3 here: run tools/install-helm3.sh")
@pytest.mark.parametrize("case", VALUES)
@pytest.mark.parametrize("folder", CHARTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_helm_3_renders_what_helm_4_renders(folder: Path, case: str, tmp_path: Path) -> None:
    pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
    from chartgen.helm import render

    program = helm3()
    assert program is not None
    values = tmp_path / "values.json"
    values.write_text(json.dumps(VALUES[case]))
    command = [program, "template", folder.name, str(folder), "--namespace", "app-namespace"]
    run = subprocess.run(
        [*command, "--values", str(values)],
        capture_output=True,
        text=True,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    assert run.returncode == 0, run.stderr
    chart = read_chart(folder)
    rendered = render(chart, VALUES[case], release=folder.name, namespace="app-namespace")
    expected = {(item.kind, item.name): item.data for item in rendered.objects}
    assert objects(run.stdout) == expected
    token = "HF_TOKEN" in expected.get(("Secret", "secrets"), {}).get("stringData", {})
    assert token == (case == "a device" and ("Secret", "secrets") in expected)


@pytest.mark.helm
@pytest.mark.skipif(helm3() is None, reason="no Helm 3 here: run tools/install-helm3.sh")
@pytest.mark.parametrize("folder", CHARTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_helm_3_lints_without_a_word(folder: Path, tmp_path: Path) -> None:
    program = helm3()
    assert program is not None
    run = subprocess.run(
        [program, "lint", "--strict", str(folder)],
        capture_output=True,
        text=True,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    assert run.returncode == 0, run.stdout
    assert "[" not in run.stdout.replace("1 chart(s) linted, 0 chart(s) failed", "")
