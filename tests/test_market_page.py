"""The web page: what it says, that it is safe, and that every link leads somewhere."""

from __future__ import annotations

import hashlib
import re
import subprocess
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import yaml

from chartgen.chart import Chart
from chartgen.market.demands import file_size_text, permissions, resources, variables
from chartgen.market.engine_command import engine_command, shell_text
from chartgen.market.page import page_files
from chartgen.market.page_markdown import markdown_html, visible_text
from chartgen.package.read import read_package
from tests.markets import EMPTY
from tests.page_markets import ATTACK, HOSTILE, LONG_WORD, VISION_SPEC, market, pages, site_files
from tests.specs import chart

GOLDEN = sorted((Path(__file__).parent / "golden" / "modern").iterdir())
VOID = frozenset({"meta", "link", "img", "input", "br", "hr"})


class Page(HTMLParser):
    """What tests ask of a page: its tags with attributes, its ids, and its text by element id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def flat(text: str) -> str:
    return " ".join(text.split())


def cards(text: str) -> dict[str, str]:
    """The text of each card by the app's name."""
    found = {}
    for part in text.split('<li class="card" ')[1:]:
        name = part.split('data-name="', 1)[1].split('"', 1)[0]
        found[name] = flat(
            Page("<li " + part.split("</li>\n  </ul>", 1)[0].split('<li class="card"')[0]).text
        )
    return found


@pytest.mark.parametrize("path", sorted(pages()))
def test_a_page_is_well_formed(path: str) -> None:
    page = Page(pages()[path])
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.all("html") == [{"lang": "en"}]
    assert [name for name, _ in page.tags].count("h1") == 1
    assert all("alt" in image for image in page.all("img"))


@pytest.mark.parametrize("path", sorted(pages()))
def test_every_link_leads_to_a_file_or_to_the_web(path: str) -> None:
    files = site_files()
    for tag, attributes in Page(pages()[path]).tags:
        for name in ("href", "src"):
            if name not in attributes:
                continue
            address = urlsplit(attributes[name])
            if address.scheme:
                assert (tag, address.scheme) in {("a", "https"), ("a", "http")}
                assert "noopener" in attributes["rel"]
                continue
            target = urlsplit(urljoin(f"https://x{path}", attributes[name]))
            assert target.path in files
            if target.fragment:
                assert unquote(target.fragment) in Page(files[target.path][0].decode()).ids


@pytest.mark.parametrize("path", sorted(pages()))
def test_nothing_on_a_page_needs_more_than_its_policy_allows(path: str) -> None:
    page = Page(pages()[path])
    policy = page.all("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'; img-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy["content"]
    assert [script["src"].split("-")[0].lstrip("./") for script in page.all("script")] == [
        "assets/page"
    ]
    for tag, attributes in page.tags:
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_assets_are_named_by_their_content_and_small() -> None:
    files = page_files(market().catalog(), market().read)
    assets = {path: file for path, file in files.items() if path.startswith("/assets/")}
    assert {path.rpartition(".")[2] for path in assets} == {"css", "js", "svg"}
    for path, file in assets.items():
        assert file.data is not None
        assert hashlib.sha256(file.data).hexdigest()[:8] == path.rpartition(".")[0][-8:]
        assert file.immutable
    assert sum(file.size for file in assets.values()) < 30_000
    assert not files["/index.html"].immutable
    assert files["/index.html"].content_type == "text/html; charset=utf-8"


def test_two_builds_are_the_same() -> None:
    catalog = market().catalog()
    again = replace(catalog, apps=tuple(reversed(catalog.apps)))
    assert page_files(catalog, market().read) == page_files(catalog, market().read)
    assert page_files(again, market().read) == page_files(catalog, market().read)


def test_a_card_says_what_an_app_is_and_needs() -> None:
    shown = cards(pages()["/index.html"])
    assert shown["vision"] == (
        "Vision somebody Sees and calls tools, 128K context Vision Tools vLLM "
        "Context 128K GPU memory 23 GiB Version 1.0.1 12 Nov 2026"
    )
    # No context is stated, and nothing is said of speed where nothing was measured.
    assert "Context" not in shown["alpha"]
    assert "tokens" not in pages()["/index.html"]


def test_retired_apps_stand_apart_with_their_reason() -> None:
    text = pages()["/index.html"]
    assert not {"delta", "epsilon"} & cards(text).keys()
    retired = text.partition('id="retired-title"')[2]
    assert "retired <time" in retired
    assert "apps/delta.html" in retired
    assert "Not maintained any more" in retired
    page = flat(Page(pages()["/apps/delta.html"]).text)
    assert "Retired on 5 Nov 2026 ." in page or "Retired on 5 Nov 2026." in page
    assert "Not maintained any more" in page
    assert "Add this market first" not in page


def test_the_history_is_newest_first_with_dates_and_changed_settings() -> None:
    text = flat(Page(pages()["/apps/vision.html"]).text.partition("Changes")[2])
    assert text.index("1.0.1 12 Nov 2026 Context of 128K") < text.index("1.0.0 10 Nov 2026")
    assert "1 setting changed context 16384 → 131072" in text


def test_a_chart_is_offered_with_size_and_digest() -> None:
    text = pages()["/apps/alpha.html"]
    history = {release.version: release for release in market().ledger.history("alpha")}
    package = history["1.1.1"].package("modern")
    older = history["1.0.0"].package("legacy")
    assert package is not None
    assert older is not None
    assert 'href="../charts/alpha-1.1.1.tgz"' in text
    assert package.sha256 in text
    assert file_size_text(package.size_bytes) in text
    # Older Olares is still offered its own last package.
    assert 'href="../legacy/charts/alpha-1.0.0.tgz"' in text
    assert older.sha256 in text
    assert "helm pull sample/alpha --version 1.1.1" in text


def test_an_app_for_older_olares_alone_is_pulled_from_its_own_repository() -> None:
    text = flat(Page(pages()["/apps/gamma.html"]).text)
    assert "helm repo add sample-legacy https://market.example.com/legacy" in text
    assert "helm pull sample-legacy/gamma --version 0.1.0" in text
    assert "Runs on Olares 1.12.3 to 1.12.5" in text


def test_both_addresses_are_told_where_older_olares_has_apps() -> None:
    text = flat(Page(pages()["/index.html"]).text)
    assert "URL for Olares 1.12.6 and later https://market.example.com Copy" in text
    assert "URL for Olares 1.12.3 to 1.12.5 https://market.example.com/legacy Copy" in text
    assert "helm repo add sample https://market.example.com" in text


def test_without_its_script_nothing_useless_is_shown() -> None:
    page = Page(pages()["/index.html"])
    buttons = [attributes for attributes in page.all("button") if "data-copy" in attributes]
    assert buttons
    assert all("hidden" in attributes for attributes in buttons)
    assert "hidden" in page.all("form")[0]
    links = {
        link["data-category"]: link["href"] for link in page.all("a") if "data-category" in link
    }
    assert links["Models"] == "#category-1"
    index = pages()["/index.html"].partition('id="category-1"')[2].partition("</ul>")[0]
    assert "apps/vision.html" in index


@pytest.mark.parametrize("path", ["/index.html", "/apps/hostile.html"])
def test_hostile_texts_are_shown_as_they_are(path: str) -> None:
    page = Page(pages()[path])
    assert len(page.all("script")) == 1
    assert all(image["src"].startswith(("assets/", "icons/", "../")) for image in page.all("img"))
    for piece in (ATTACK, "{{ 7 }} {% x %}", "<b>\"&'{{ x }}</b>🦙", LONG_WORD, "مرحبا"):
        assert piece in page.text
    assert "javascript:" not in "".join(attributes.get("href", "") for _, attributes in page.tags)


def test_the_command_is_what_the_container_runs(tmp_path: Path) -> None:
    path = "packages/hostile-1.0.0.tgz"
    found = engine_command(read_package(market().files[path], path))
    assert found is not None
    assert found.words[:3] == ("vllm", "serve", "owner/model")
    assert found.words[found.words.index("--served-model-name") + 1] == HOSTILE
    assert dict(found.environment)["X_TEXT"] == HOSTILE
    assert "X_ASKED" not in dict(found.environment)
    shell = f"set -- {shell_text(found.words)}\nprintf '%s\\0' \"$@\""
    run = subprocess.run(["sh", "-c", shell], capture_output=True, check=True, cwd=tmp_path)
    assert tuple(run.stdout.decode().split("\0")[:-1]) == found.words
    assert visible_text(HOSTILE) in Page(pages()["/apps/hostile.html"]).text


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: folder.name)
def test_the_command_of_each_shipped_app_is_found(folder: Path) -> None:
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    found = engine_command(Chart(folder.name, files))
    text = files[f"templates/deployment-{folder.name}.yaml"].decode()
    # What stands between the end of the wrapper and the ports, item by item.
    block = text.partition('- "--"\n')[2].partition("        ports:")[0].replace("args:", "")
    assert found is not None
    assert list(found.words) == yaml.safe_load(
        re.sub(r"^\s+(- )?", r"- ", block, flags=re.MULTILINE).rstrip("- \n")
    )
    assert f'image: "{found.image}"' in text


@pytest.mark.parametrize(
    "text",
    ["", "a: {{ b", "spec: 3", "spec: {template: {spec: {containers: [{image: 3}]}}}", "- 1"],
)
def test_a_deployment_in_another_form_has_no_command(text: str) -> None:
    files = {"templates/deployment-x.yaml": text.encode()}
    assert engine_command(Chart("x", files)) is None


def test_scripts_that_the_command_names_are_shown(tmp_path: Path) -> None:
    run = "exec python3 -m server --port 9000\n"
    changes: dict[str, Any] = {
        "engine": {"kind": "app", "image": "me/app:1.0.0", "port": 9000, "run": run, "model": None},
        "files": {"/app/other.txt": {"content": "not named"}},
    }
    found = engine_command(chart(tmp_path, changes))
    assert found is not None
    assert [(path.rpartition("/")[2], text) for path, text in found.scripts] == [("run.sh", run)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>"),
        (
            "[x](https://a.example/)",
            '<p><a href="https://a.example/" rel="noopener nofollow">x</a></p>',
        ),
        ("[x](/admin)", "<p><a>x</a></p>"),
        ("[x](mailto:a@b.example)", "<p><a>x</a></p>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("[x](data:text/html,1)", "<p>[x](data:text/html,1)</p>"),
        ("![<b>a</b>](https://a.example/x.png)", "<p><em>&lt;b&gt;a&lt;/b&gt;</em></p>"),
        ("### a\n# b\n## c\n#### d\n# e", "<h3>a</h3><h3>b</h3><h4>c</h4><h5>d</h5><h3>e</h3>"),
        ("```\n{{ x }} <i>\n```", "<pre><code>{{ x }} &lt;i&gt;</code></pre>"),
        ("a\x00b\x1b[31m\ud800", "<p>ab[31m</p>"),
        ("a\u202eb\u2066c\u200fd", "<p>abc\u200fd</p>"),
    ],
)
def test_markdown_becomes_text_and_links_only(text: str, expected: str) -> None:
    html = markdown_html(text).__html__()
    assert html.replace("\n</code>", "</code>").replace(">\n<", "><").strip() == expected


def test_a_table_has_no_styles_and_can_be_scrolled_by_keyboard() -> None:
    html = markdown_html("| a |\n|:-:|\n| 1 |").__html__()
    assert "style" not in html
    assert html.startswith('<div class="wide" role="group" aria-label="Table" tabindex="0">')
    assert html.rstrip().endswith("</table>\n</div>")


def test_resources_are_told_in_words() -> None:
    manifest = {
        "spec": {
            "accelerator": [
                {
                    "mode": "nvidia",
                    "requiredGPUMemory": "23Gi",
                    "limitedGPUMemory": "23Gi",
                    "requiredMemory": "24640Mi",
                    "limitedMemory": "40Gi",
                    "requiredCpu": "4100m",
                    "limitedCpu": "17",
                    "requiredDisk": "512Mi",
                },
                {"mode": "cpu", "requiredMemory": "-1", "requiredCpu": "1", "requiredDisk": "much"},
            ]
        }
    }
    card_, processor = resources(manifest)
    assert card_.machine == "NVIDIA card"
    assert card_.rows == (
        ("GPU memory", "23 GiB"),
        ("Memory", "24.1 GiB, at most 40 GiB"),
        ("CPU", "4.1 cores, at most 17 cores"),
        ("Disk", "512 MiB"),
    )
    assert processor.machine == "No GPU"
    assert processor.rows == (("Memory", "decided at install"), ("CPU", "1 core"), ("Disk", "much"))
    legacy = {"spec": {"requiredGpu": "8Gi", "limitedGpu": "8Gi"}}
    assert [r.rows for r in resources(legacy)] == [(("GPU memory", "8 GiB"),)]
    assert resources({}) == ()


def test_permissions_are_told_in_words_and_none_is_left_out() -> None:
    manifest = {
        "permission": {
            "appData": True,
            "appCache": False,
            "userData": ["Home/Pictures", "Home/Music"],
            "provider": [{"appName": "files"}],
            "loginOlaresCLI": True,
        },
        "options": {"shared": True, "LLMGatewaySupported": True, "allowedOutboundPorts": [25]},
        "spec": {"onlyAdmin": True},
        "middleware": {"postgres": {}},
        "entrances": [
            {"title": "Page", "port": 80, "authLevel": "public"},
            {"name": "api", "port": 8000},
        ],
    }
    assert permissions(manifest) == (
        "Keeps files in a data folder of its own, such as weights and settings.",
        "Reads and writes Home/Pictures, Home/Music in Files.",
        "Calls other apps: files.",
        "Has the permission loginOlaresCLI: true.",
        "Runs once for all users of the device.",
        "Can only be installed by an administrator.",
        "Joins the device's model gateway.",
        "Connects to the internet on port 25.",
        "Uses the device's postgres.",
        "Page, port 80: open to everybody on the internet without a login.",
        "api, port 8000: open after a login.",
    )


def test_variables_tell_their_default_and_whether_they_are_needed() -> None:
    manifest = {
        "envs": [
            {"envName": "A", "description": "What it is.", "required": True},
            {"envName": "B", "title": "B", "valueFrom": {"envName": "OLARES_SYSTEM_X"}},
        ]
    }
    assert variables(manifest) == (
        ("A", "What it is. Must be given."),
        ("B", "B Default: the device's OLARES_SYSTEM_X"),
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [(840, "840 bytes"), (1024, "1 KiB"), (8_612, "8.4 KiB"), (1_258_291, "1.2 MiB")],
)
def test_sizes_of_files(size: int, text: str) -> None:
    assert file_size_text(size) == text


def test_settings_are_listed_in_the_words_of_the_spec() -> None:
    text = flat(Page(pages()["/apps/vision.html"]).text)
    assert "Engine kind vllm image vllm/vllm-openai:v0.21.0 context 131072" in text
    assert "kv-cache-dtype fp8 limit-mm-per-prompt image: 1" in text
    assert str(VISION_SPEC["summary"]) not in text


def test_other_languages_are_marked_as_such() -> None:
    text = pages()["/apps/beta.html"]
    assert '<summary lang="zh-CN">中文</summary>' in text
    assert '<div class="prose" lang="zh-CN" dir="auto">' in text
    assert "贝塔" in text


def test_an_empty_market_has_a_page() -> None:
    files = page_files(EMPTY.catalog(), EMPTY.read)
    assert sorted(path.rpartition(".")[2] for path in files) == ["css", "html", "html", "js", "svg"]
    data = files["/index.html"].data
    assert data is not None
    assert "No app was released yet." in data.decode()


def test_time_grows_with_the_number_of_apps_and_not_faster() -> None:
    catalog = market().catalog()
    app = next(app for app in catalog.apps if app.name == "vision")

    def seconds(count: int) -> float:
        apps = tuple(replace(app, name=f"app{number:04}") for number in range(count))
        begun = time.process_time()
        files = page_files(replace(catalog, apps=apps), market().read)
        assert len(files) == count + 5
        return time.process_time() - begun

    seconds(10)
    # Four times the apps take four times the time; twice that is allowed for a busy machine.
    assert seconds(400) < 8 * seconds(100)
