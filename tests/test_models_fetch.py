"""Facts from a Hub: what is asked, what is stored, and what each failure says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub.errors
import pytest
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils import hf_raise_for_status

from chartgen.cli import main
from chartgen.errors import ChartgenError
from chartgen.market.deploy.secret import Secret
from chartgen.models import hub as hub_module
from chartgen.models.fetch import fetch_model
from chartgen.models.gguf import GgufError
from chartgen.models.hub import HubError, open_hub
from chartgen.models.store import StoredModel, read_model, stored_facts
from chartgen.models.store_text import model_text
from tests.fake_models import COMMIT, ENDPOINT, TOKEN, FakeHub, as_json, error
from tests.gguf_files import GEMMA, WEIGHTS, gguf

CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 2,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "max_position_embeddings": 131072,
    "bos_token_id": 1,
}
INDEX = "model.safetensors.index.json"
PARTS = {f"model-0000{number}-of-00002.safetensors": b"w" * 500 for number in (1, 2)}
MAP = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}


def repository(**files: Any) -> dict[str, bytes]:
    """A repository with a config; names of further files with `__` for a dot."""
    named = {name.replace("__", "."): data for name, data in files.items()}
    return {"config.json": as_json(CONFIG), "README.md": b"# Model", **named}


def fetch(hub: FakeHub, name: str = "org/model", *, token: str = "", **wanted: Any) -> StoredModel:
    secret = Secret(token) if token else None
    with open_hub(ENDPOINT, secret, hub.transport) as opened:
        return fetch_model(opened, name, **wanted)


def test_a_config_and_one_file_of_weights() -> None:
    stored = fetch(FakeHub(repository(model__safetensors=b"w" * 1000)))

    assert (stored.hf, stored.file, stored.commit) == ("org/model", None, COMMIT)
    assert stored.weight_bytes == 1000
    assert stored.source == {"config": "config.json", "weight_bytes": "size of 1 file of weights"}
    kept = {name: value for name, value in CONFIG.items() if name != "bos_token_id"}
    text = model_text(stored)
    assert all(f"  {name}: " in text for name in kept)
    assert "bos_token_id" not in text
    again, findings = read_model(text.encode(), "org--model.yaml")
    assert (again, findings) == (stored, ())
    assert stored_facts(stored).missing == ()


def test_the_index_says_how_large_the_weights_are() -> None:
    index = as_json({"metadata": {"total_size": 990}, "weight_map": MAP})

    stored = fetch(FakeHub({**repository(), **PARTS, INDEX: index}))

    assert stored.weight_bytes == 990
    assert stored.source["weight_bytes"] == f"{INDEX}, total_size"


@pytest.mark.parametrize(
    "index",
    [
        {"metadata": {"total_size": 4000}, "weight_map": MAP},  # as before it was quantised
        {"metadata": {"total_size": "990"}, "weight_map": MAP},
        {"metadata": {"total_size": -1}, "weight_map": MAP},
        {"metadata": None, "weight_map": MAP},
        {"weight_map": ["a"]},
        [],
    ],
)
def test_an_index_that_cannot_be_right_is_not_believed(index: Any) -> None:
    files = {**repository(), **PARTS, INDEX: as_json(index)}

    stored = fetch(FakeHub(files))

    assert stored.weight_bytes == 1000
    assert stored.source["weight_bytes"] == "size of 2 files of weights"


def test_weights_that_stand_there_twice_count_once() -> None:
    files = repository(model__safetensors=b"w" * 1000, consolidated__safetensors=b"w" * 1000)

    assert fetch(FakeHub(files)).weight_bytes == 1000


def test_without_weights_their_size_is_asked_for() -> None:
    stored = fetch(FakeHub(repository()))

    assert stored.weight_bytes is None
    assert stored_facts(stored).missing == ("weight_bytes",)


def test_the_format_of_modelopt_stands_beside_the_config() -> None:
    quantisation = {"producer": {"name": "modelopt"},
                    "quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8",
                                     "exclude_modules": ["lm_head"]}}  # fmt: skip
    files = repository(hf_quant_config__json=as_json(quantisation), model__safetensors=b"w")

    stored = fetch(FakeHub(files))

    found = stored_facts(stored)
    assert (found.quantisation, found.kv_quantisation) == ("modelopt NVFP4", "fp8")
    assert found.source("config.quantization_config") == "hf_quant_config.json"


def test_what_is_not_understood_is_stored_as_such() -> None:
    odd = {**CONFIG, "num_key_value_heads": [8, 4]}

    stored = fetch(FakeHub({**repository(model__safetensors=b"w"), "config.json": as_json(odd)}))

    assert stored.unread == ("config.num_key_value_heads",)
    assert stored_facts(stored).missing == ("config.num_key_value_heads",)


def test_a_gguf_is_read_by_its_header_only() -> None:
    data = gguf(GEMMA, WEIGHTS) + bytes(5 << 20)
    hub = FakeHub({"a.gguf": data}, large=frozenset({"a.gguf"}))

    stored = fetch(hub, file="a.gguf")

    assert stored.weight_bytes == 1456
    assert stored.weight_types == {"F32": 1024, "Q4_K": 432}
    assert stored.embedding_bytes == 432
    assert len(stored_facts(stored).layers) == 6
    wanted = [request.headers["range"] for request in hub.asked if "range" in request.headers]
    assert set(wanted) == {"bytes=0-65535"}
    again, findings = read_model(model_text(stored).encode(), "org--model--a.yaml")
    assert (again, findings) == (stored, ())


def test_a_gguf_in_parts_is_as_large_as_all_of_them() -> None:
    first = gguf({**GEMMA, "split.count": 2}, WEIGHTS)
    files = {"a-00001-of-00002.gguf": first, "a-00002-of-00002.gguf": bytes(5000)}

    stored = fetch(FakeHub(files), file="a-00001-of-00002.gguf")

    assert stored.weight_bytes == len(first) + 5000
    assert stored.weight_types == {}
    with pytest.raises(HubError, match=r"no file a-00002-of-00002\.gguf, a part of"):
        fetch(FakeHub({"a-00001-of-00002.gguf": first}), file="a-00001-of-00002.gguf")


def test_sizes_that_cannot_be_are_refused() -> None:
    hub = FakeHub(repository())
    siblings = [{"rfilename": "config.json"}, {"rfilename": "a.safetensors", "size": 10**30}]
    hub.answers["/api/models/org/model/revision/main"] = httpx2.Response(
        200, json={"sha": COMMIT, "siblings": siblings}
    )

    with pytest.raises(HubError, match=r"says of itself what cannot be \(weight_bytes\)"):
        fetch(hub)


def test_a_server_without_ranges_is_refused_before_it_sends_everything() -> None:
    data = gguf(GEMMA, WEIGHTS) + bytes(5 << 20)

    with pytest.raises(HubError, match="sends only whole files"):
        fetch(FakeHub({"a.gguf": data}, ranges=False), file="a.gguf")


def test_a_damaged_gguf_is_said() -> None:
    with pytest.raises(GgufError, match=r"org/model/a\.gguf: it does not begin with GGUF"):
        fetch(FakeHub({"a.gguf": b"<html>"}), file="a.gguf")


def test_the_token_goes_to_the_hub_and_nowhere_else() -> None:
    files = {"a.gguf": gguf(GEMMA, WEIGHTS)}
    hub = FakeHub(files, large=frozenset(files), gated=True)

    fetch(hub, token=TOKEN, file="a.gguf")

    sent = {(one.url.host, one.headers.get("authorization")) for one in hub.asked}
    assert sent == {("hub.example", f"Bearer {TOKEN}"), ("store.example", None)}


def test_a_renamed_repository_is_followed_with_the_token() -> None:
    hub = FakeHub(repository(model__safetensors=b"w"), gated=True, old_name="org/old")

    assert fetch(hub, "org/old", token=TOKEN).weight_bytes == 1


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://store.example/blob/config.json", "leads to http, not https"),
        ("file:///etc/passwd", "leads to file, not https"),
        (f"/org/model/resolve/{COMMIT}/config.json", "more than 5 redirects"),
    ],
)
def test_a_redirect_astray_is_refused(location: str, said: str) -> None:
    hub = FakeHub(repository())
    path = f"/org/model/resolve/{COMMIT}/config.json"
    hub.answers[path] = httpx2.Response(302, headers={"location": location})

    with pytest.raises(HubError, match=said):
        fetch(hub)


@pytest.mark.parametrize(
    ("hub", "wanted", "said"),
    [
        (FakeHub({}), {"name": "org/other"}, "no such repository, or it is private: set HF_TOKEN"),
        (FakeHub({}), {"name": "org/other", "token": TOKEN}, "HF_TOKEN has no access"),
        (FakeHub({}, gated=True), {}, "accept it on its page, then set HF_TOKEN"),
        (FakeHub({}, gated=True), {"token": "hf_other"}, "use a token of that account"),
        (FakeHub({}), {"revision": "dev"}, "org/model@dev: there is no such branch"),
        (FakeHub({}), {}, "has neither config.json nor a GGUF"),
        (FakeHub({"b.gguf": b"", "a.gguf": b""}), {}, "choose a file with --file: a.gguf, b.gguf"),
        (FakeHub({"b.gguf": b""}), {"file": "a.gguf"}, "has no file a.gguf; it has b.gguf"),
        (FakeHub({}), {"file": "a.gguf"}, "it has no GGUF at all"),
        (FakeHub({"config.json": b"<html>"}), {}, "config.json: is no JSON"),
        (FakeHub({"config.json": b"[" * 100_000}), {}, "config.json: is no JSON"),
        (FakeHub({"config.json": b"[]"}), {}, "is no JSON object"),
        (FakeHub({"config.json": b'{"name": "x"}'}), {}, "is that of no model"),
        (FakeHub({}), {"name": "model"}, "write it as owner/name"),
        (FakeHub({}), {"name": "org/model/../x"}, "write it as owner/name"),
    ],
)  # fmt: skip
def test_what_failures_say(hub: FakeHub, wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(HubError) as caught:
        fetch(hub, **wanted)

    assert said in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, r"access is refused \(Forbidden for you\)"),
        (429, "too many requests; wait"),
        (500, r"answered 500 \(Forbidden for you\); try again later"),
    ],
)
def test_what_other_answers_say(status: int, said: str) -> None:
    hub = FakeHub({})
    hub.answers["/api/models/org/model/revision/main"] = error(status, "", "Forbidden for you")

    with pytest.raises(HubError, match=said):
        fetch(hub)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"sha": "main"}', b'{"sha": 7, "siblings": []}', b"[]", b"null"]
)
def test_an_answer_of_something_else_is_said(body: bytes) -> None:
    hub = FakeHub({})
    hub.answers["/api/models/org/model/revision/main"] = httpx2.Response(200, content=body)

    with pytest.raises(HubError, match="names no commit"):
        fetch(hub)


def test_odd_entries_of_files_are_passed_over() -> None:
    hub = FakeHub(repository())
    odd = [7, {"rfilename": 7}, {"rfilename": "config.json"},
           {"rfilename": "model.safetensors", "size": "big"}]  # fmt: skip
    hub.answers["/api/models/org/model/revision/main"] = httpx2.Response(
        200, json={"sha": COMMIT, "siblings": odd}
    )

    assert fetch(hub).weight_bytes is None


def test_a_file_that_is_listed_but_not_there_is_said() -> None:
    hub = FakeHub({})
    hub.answers["/api/models/org/model/revision/main"] = httpx2.Response(
        200, json={"sha": COMMIT, "siblings": [{"rfilename": "config.json"}]}
    )

    with pytest.raises(HubError, match=r"org/model/config\.json: there is no such file"):
        fetch(hub)


def test_an_answer_that_drips_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_TOTAL_SECONDS", -1.0)

    with pytest.raises(HubError, match="takes too long"):
        fetch(FakeHub(repository()))


def test_an_answer_without_end_is_cut() -> None:
    files = {**repository(), "config.json": as_json({**CONFIG, "auto_map": "x" * 2000})}

    with open_hub(ENDPOINT, None, FakeHub(files).transport) as opened:
        listed = opened.files("org/model", "main")
        with pytest.raises(HubError, match="has more than 1,000 bytes"):
            opened.json(listed, "config.json", limit=1000)


def test_no_connection_is_said() -> None:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("name resolution failed")

    with (
        open_hub(ENDPOINT, None, httpx2.MockTransport(fail)) as opened,
        pytest.raises(HubError, match=r"no answer \(name resolution failed\); check the network"),
    ):
        fetch_model(opened, "org/model")


@pytest.mark.parametrize("address", ["hub.example", "ftp://hub.example", "https://u:p@hub.example"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(HubError, match="is no address of a Hub"), open_hub(address):
        pass


def test_the_fake_hub_answers_as_the_library_expects() -> None:
    """Its answer makes a ModelInfo, and its errors become the library's own."""
    hub = FakeHub({"a.gguf": b"1234"}, large=frozenset({"a.gguf"}), gated=True)

    info = ModelInfo(**hub.info().json())

    assert info.sha == COMMIT
    assert info.siblings is not None
    (sibling,) = info.siblings
    assert (sibling.rfilename, sibling.size) == ("a.gguf", 4)
    assert sibling.lfs is not None
    names = {one.name for one in dataclasses.fields(type(sibling))}
    assert {"rfilename", "size", "lfs"} <= names
    request = httpx2.Request("GET", f"{ENDPOINT}/org/model/resolve/main/config.json")
    for code, expected in (
        ("RepoNotFound", huggingface_hub.errors.RepositoryNotFoundError),
        ("GatedRepo", huggingface_hub.errors.GatedRepoError),
        ("RevisionNotFound", huggingface_hub.errors.RevisionNotFoundError),
        ("EntryNotFound", huggingface_hub.errors.EntryNotFoundError),
    ):
        answer = error(404, code, "said")
        answer.request = request
        with pytest.raises(expected):
            hf_raise_for_status(answer)


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and a hub that every connection reaches."""
    hub = FakeHub(repository(model__safetensors=b"w" * 1000), gated=True)
    client = httpx2.Client

    def connected(**options: Any) -> httpx2.Client:
        return client(**{**options, "transport": hub.transport})

    monkeypatch.setattr(httpx2, "Client", connected)
    monkeypatch.setenv("HF_ENDPOINT", ENDPOINT + "/")
    monkeypatch.setenv("HF_TOKEN", TOKEN + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_stores_what_it_fetches(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = market / "apps" / "models" / "org--model.yaml"

    assert main(["model", "fetch", f"org/model@{COMMIT}"]) == 0
    first = capsys.readouterr()
    written = target.read_bytes()
    assert main(["model", "fetch", "org/model"]) == 0
    second = capsys.readouterr()
    target.write_text("hf: org/model\n")
    assert main(["model", "fetch", "org/model"]) == 0
    third = capsys.readouterr()

    assert first.err == "created apps/models/org--model.yaml\n"
    assert second.err == "apps/models/org--model.yaml says the same already\n"
    assert third.err == "replaced apps/models/org--model.yaml\n"
    assert "2 full, 8 heads of 128" in first.out
    assert target.read_bytes() == written
    assert TOKEN not in first.out + first.err + written.decode()


def test_the_command_says_what_failed(market: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "fetch", "org/other"]) == 4
    assert "no such repository" in capsys.readouterr().err
    assert not (market / "apps").exists()


def test_the_errors_are_the_program_s_own() -> None:
    assert issubclass(HubError, ChartgenError)
    assert issubclass(GgufError, ChartgenError)
