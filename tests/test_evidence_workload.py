"""The digest of what runs: it changes with all that decides speed, and with nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from chartgen.evidence.workload import workload_digest
from tests.specs import loaded

SAME: dict[str, dict[str, Any]] = {
    "version": {"version": "1.2.4", "changes": {"1.2.4": ["New"]}},
    "title": {"title": "Other"},
    "summary": {"summary": "Runs at {tps} tokens/s"},
    "about": {"about": "A long text"},
    "categories": {"categories": ["Models"]},
    "i18n": {"i18n": {"de-DE": {"summary": "Eine App"}}},
    "size of the download": {"engine": {"model": {"size": "5GB"}}},
    "disk": {"resources": {"disk": "20Gi..40Gi"}},
    "release in the image": {"engine": {"release": "0.21.0"}},
    "memory left, as the log says": {"gpu": {"kv_available": "2.82GiB"}},
    "a default that is written out": {"engine": {"model": {"revision": "main"}}},
    "another spelling of a quantity": {"resources": {"cpu": "2000m..4"}},
    "a waiver": {"waive": [{"rule": "image-floating-tag", "reason": "because of a reason"}]},
    "entrance": {"entrances": [{"title": "Door"}]},
    "texts, doors and disk of the manifest": {
        "manifest": {
            "metadata": {"title": "Other"},
            "permission": {"userData": ["Home"]},
            "spec": {"requiredDisk": "99Gi", "onlyAdmin": True},
        }
    },
}
OTHER: dict[str, dict[str, Any]] = {
    "image": {"engine": {"image": "vllm/vllm-openai:v0.22.0"}},
    "model": {"engine": {"model": {"hf": "owner/other"}}},
    "revision": {"engine": {"model": {"revision": "abc"}}},
    "draft": {"engine": {"draft": {"hf": "owner/draft"}}},
    "context": {"engine": {"context": 4096}},
    "argument": {"engine": {"args": {"max-num-seqs": 4}}},
    "bare flag": {"engine": {"args": {"max-num-seqs": True}}},
    "number of the flag's value": {"engine": {"args": {"max-num-seqs": 1}}},
    "text of it": {"engine": {"args": {"max-num-seqs": "1"}}},
    "setup": {"engine": {"setup": {"pip": ["a==1"]}}},
    "env": {"env": {"A": "1"}},
    "file": {"files": {"/a": {"content": "x"}}},
    "storage": {"storage": {"shm": {"kind": "memory", "mount": "/dev/shm", "size": "1Gi"}}},
    "step": {"steps": [{"name": "one", "image": "busybox:1.37", "run": "true"}]},
    "sidecar": {"sidecars": [{"name": "two", "image": "busybox:1.37", "run": "true"}]},
    "memory": {"resources": {"memory": "8Gi..32Gi"}},
    "GPU memory": {"gpu": {"memory": "9Gi"}},
    "no GPU": {"gpu": None},
    "GPU memory in the manifest": {"manifest": {"spec": {"requiredGpu": "4Gi"}}},
    "its modern name": {"manifest": {"spec": {"requiredGPUMemory": "4Gi"}}},
    "another amount": {"manifest": {"spec": {"requiredGPUMemory": "5Gi"}}},
    "memory limit in the manifest": {"manifest": {"spec": {"limitedMemory": "3Gi"}}},
    "CPU limit in the manifest": {"manifest": {"spec": {"limitedCpu": 2}}},
    "GPU memory of a mode": {
        "manifest": {"spec": {"accelerator": [{"mode": "nvidia", "limitedGPUMemory": "2Gi"}]}}
    },
    "mode": {"manifest": {"spec": {"accelerator": [{"mode": "cpu"}]}}},
    "patch": {"patches": [{"target": {"kind": "Service", "name": "a"}, "merge": {"a": 1}}]},
}


@pytest.mark.parametrize("name", SAME)
def test_what_only_people_or_chartgen_read_does_not_count(name: str, tmp_path: Path) -> None:
    plain = workload_digest(loaded(tmp_path / "a"))
    assert workload_digest(loaded(tmp_path / "b", SAME[name])) == plain


def test_what_runs_counts_and_each_change_is_another(tmp_path: Path) -> None:
    digests = {"": workload_digest(loaded(tmp_path / "plain"))}
    for number, (name, change) in enumerate(OTHER.items()):
        digests[name] = workload_digest(loaded(tmp_path / str(number), change))
    assert len(set(digests.values())) == len(OTHER) + 1


def test_a_quantity_of_the_manifest_counts_by_its_amount(tmp_path: Path) -> None:
    digests = {
        workload_digest(loaded(tmp_path / str(at), {"manifest": {"spec": {"limitedMemory": text}}}))
        for at, text in enumerate(("2Gi", "2048Mi", 2**31))
    }
    assert len(digests) == 1


def test_the_digest_of_a_spec_is_the_same_in_every_chartgen(tmp_path: Path) -> None:
    # Evidence of long ago is found by it.
    model = {"hf": "owner/model"}
    plain = {
        "engine": {"image": "vllm/vllm-openai:v0.21.0", "kind": "vllm", "model": model},
        "gpu": {"memory": [str(8 * 2**30)] * 2},
        "resources": {"cpu": ["2", "4"], "memory": [str(8 * 2**30), str(16 * 2**30)]},
    }
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    assert workload_digest(loaded(tmp_path)) == hashlib.sha256(text.encode()).hexdigest()


def test_a_text_counts_by_what_it_says_not_by_where_it_stands(tmp_path: Path) -> None:
    for name, text in (("a", "one"), ("b", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "script.sh").write_text(text)
    inline = loaded(tmp_path / "inline", {"files": {"/a": {"content": "one"}}})
    same = loaded(tmp_path / "a", {"files": {"/a": {"from": "script.sh"}}})
    other = loaded(tmp_path / "b", {"files": {"/a": {"from": "script.sh"}}})
    assert workload_digest(inline) == workload_digest(same) != workload_digest(other)
