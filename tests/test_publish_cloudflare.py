"""`chartgen publish` to Cloudflare, as a person types it, against the stub of its API."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.market.deploy import waiting
from chartgen.market.deploy.account import ACCOUNT_VARIABLE, API_VARIABLE, PERMISSION_VARIABLE
from chartgen.release.ledger import LEDGER, read_ledger, verify_packages
from tests.cloudflare_stub import (
    ACCOUNT,
    TOKEN,
    Act,
    Call,
    Cloudflare,
    Handler,
    Part,
    Reply,
    Version,
    drops,
    says_html,
    serving,
    status,
)
from tests.deploying import ManualClock
from tests.market_worker import market_worker
from tests.specs import write_spec

pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
pytestmark = pytest.mark.loopback

ROOT = Path(__file__).resolve().parent.parent
NAME = "mymarket"
URL = f"https://{NAME}.acme.workers.dev"
SETTINGS = f"url: {URL}\npublish: {{cloudflare: {{worker: {NAME}}}}}\n"
DOMAIN = "apps.example.net"
S = f"/workers/scripts/{NAME}"
UPLOAD = "POST /workers/assets/upload"
# The token, and the beginnings of those that the stub gives out.
MARKERS = (TOKEN, "marker-session", "marker-complete", "eyJ")


@dataclass(frozen=True)
class Run:
    """What one command left: exit code, both streams, and the API's calls that it made."""

    code: int
    out: str
    err: str
    calls: list[Call]

    @property
    def lines(self) -> list[str]:
        return [call.line for call in self.calls]

    @property
    def uploaded(self) -> list[Part]:
        calls = [call for call in self.calls if call.line == UPLOAD]
        return [part for call in calls for part in call.parts]

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def changing(self) -> list[str]:
        """The calls that do more than read."""
        return [line for line in self.lines if not line.startswith("GET ")]


@dataclass
class Person:
    """Somebody with a market's folder, and a token for the account."""

    folder: Path
    cloudflare: Cloudflare
    capture: pytest.CaptureFixture[str]
    log: pytest.LogCaptureFixture
    shown: list[str] = field(default_factory=list)

    def publish(self, *words: str) -> Run:
        return self.run("publish", *words)

    def run(self, command: str, *words: str) -> Run:
        before = len(self.cloudflare.calls)
        self.capture.readouterr()
        code = main([command, "-C", str(self.folder), *words])
        said = self.capture.readouterr()
        self.shown += [said.out, said.err, self.log.text]
        calls = self.cloudflare.calls[before:]
        made = [call for call in calls if not self.cloudflare.is_site(call.host)]
        return Run(code, said.out, said.err, made)

    @property
    def ledger(self) -> bytes:
        path = self.folder / LEDGER
        return path.read_bytes() if path.exists() else b""

    @property
    def released(self) -> list[str]:
        """All releases, after a look at the chain and at every file."""
        ledger = read_ledger(self.folder)
        assert verify_packages(self.folder, ledger) == ()
        return [f"{release.name} {release.version}" for release in ledger.releases]

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    def change(self, context: int = 4096) -> None:
        write_spec(self.folder / "apps", {"engine": {"context": context}})

    def settings(self, text: str) -> None:
        (self.folder / "market" / "market.yaml").write_text(text)


@pytest.fixture
def cloudflare() -> Iterator[Cloudflare]:
    with serving(Cloudflare(bucket_size=20)) as found:
        found.script = market_worker(found)
        yield found


@pytest.fixture
def environment(cloudflare: Cloudflare) -> dict[str, str]:
    return {
        PERMISSION_VARIABLE: TOKEN,
        ACCOUNT_VARIABLE: ACCOUNT,
        API_VARIABLE: cloudflare.api,
    }


@pytest.fixture
def person(
    cloudflare: Cloudflare,
    environment: dict[str, str],
    tmp_path: Path,
    empty_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Person]:
    """A person with a market of two apps; in the end, nothing that they have holds a token."""
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(waiting, "SystemClock", ManualClock)
    caplog.set_level("DEBUG")
    folder = tmp_path / "mine"
    (folder / "market").mkdir(parents=True)
    write_spec(folder / "apps")
    write_spec(folder / "apps", {"name": "otherapp", "title": "Other"})
    found = Person(folder, cloudflare, capsys, caplog)
    found.settings(SETTINGS)
    yield found
    kept = [
        path.read_bytes().decode("utf-8", "replace")
        for root in (tmp_path, empty_home)
        for path in root.rglob("*")
        if path.is_file()
    ]
    for marker in MARKERS:
        assert not any(marker in text for text in (*found.shown, *kept)), marker


@pytest.fixture
def published(person: Person) -> Person:
    """A person who has published once."""
    assert person.publish().code == 0
    return person


def live(cloudflare: Cloudflare) -> Version:
    worker = cloudflare.workers[NAME]
    found = worker.version(worker.live)
    assert found is not None
    return found


def charts(cloudflare: Cloudflare) -> set[str]:
    """The packages that devices are offered."""
    prefix = "/charts/"
    return {path[len(prefix) :] for path in live(cloudflare).manifest if path.startswith(prefix)}


# What a publish does -------------------------------------------------------------------------


def test_the_first_publish_uploads_deploys_and_names_the_address(person: Person) -> None:
    run = person.publish()

    assert (run.code, run.out) == (0, "")
    assert run.changing == [
        f"POST {S}/assets-upload-session",
        UPLOAD,
        UPLOAD,
        f"PUT {S}",
        f"POST {S}/subdomain",
        f"POST {S}/subdomain",
    ]
    assert f"live at {URL}\n" in run.err
    assert "verified as devices of all generations see it" in run.err
    assert charts(person.cloudflare) == {"smallapp-1.2.3.tgz", "otherapp-1.2.3.tgz"}
    assert person.cloudflare.workers[NAME].enabled
    tag = live(person.cloudflare).metadata["annotations"]["workers/tag"]
    assert tag.endswith(f".{read_ledger(person.folder).head}")


def test_a_process_of_its_own_does_the_same(
    person: Person, environment: dict[str, str], empty_home: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chartgen", "publish", "--json"],
        cwd=person.folder,
        env=environment
        | {"PATH": os.environ["PATH"], "HOME": str(empty_home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    person.shown += [done.stdout, done.stderr]
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["url"] == URL
    assert charts(person.cloudflare) == {"smallapp-1.2.3.tgz", "otherapp-1.2.3.tgz"}


def test_nothing_changed_sends_nothing(published: Person) -> None:
    files = published.files()

    run = published.publish("--bump", "patch")

    assert (run.code, run.changing) == (0, [])
    assert f"{URL} is up to date already" in run.err
    assert published.files() == files


def test_one_changed_app_sends_only_what_is_new(published: Person) -> None:
    before = live(published.cloudflare).manifest
    published.change()

    run = published.publish("--bump", "patch")

    assert run.code == 0
    after = live(published.cloudflare).manifest
    sent = {part.name for part in run.uploaded}
    assert sent == set(after.values()) - set(before.values())
    assert after["/charts/smallapp-1.2.4.tgz"] in sent
    assert after["/charts/smallapp-1.2.3.tgz"] == before["/charts/smallapp-1.2.3.tgz"]
    assert after["/charts/otherapp-1.2.3.tgz"] not in sent
    assert run.changing[-2:] == [f"POST {S}/versions", f"POST {S}/deployments"]


def test_json_is_one_document(person: Person) -> None:
    first = person.publish("--json")
    again = person.publish("--json")

    version = live(person.cloudflare).id
    assert [item["name"] for item in first.json["releases"]] == ["otherapp", "smallapp"]
    assert (first.json["url"], first.json["version"], first.json["changed"]) == (URL, version, True)
    assert again.json["releases"] == []
    assert (again.json["version"], again.json["changed"]) == (version, False)


# What would be done ----------------------------------------------------------------------------

# Which of the calls that a dry run names are made, by what stands there before.
MADE = {
    "first": {"always", "if needed", "first time", "if changed"},
    "changed": {"always", "later", "if changed", "later, if changed"},
    "unchanged": {"always", "later"},
}


@pytest.mark.parametrize("domain", [None, DOMAIN])
@pytest.mark.parametrize("state", MADE)
def test_a_dry_run_says_what_a_real_one_then_sends(
    person: Person, state: str, domain: str | None
) -> None:
    if domain is not None:
        target = f"{{worker: {NAME}, domain: {domain}}}"
        person.settings(f"url: https://{domain}\npublish: {{cloudflare: {target}}}\n")
    if state != "first":
        assert person.publish().code == 0
    if state == "changed":
        person.change()
    files = person.files()

    told = person.publish("--bump", "patch", "--dry-run", "--json")
    assert (told.code, told.lines, person.files()) == (0, [], files)
    real = person.publish("--bump", "patch", "--json")

    assert real.code == 0
    assert told.json["releases"] == real.json["releases"]
    would = told.json["would"]
    for call in would["calls"]:
        assert f"{call['method']} {call['path']}: {call['about']}" in told.err
    named = {shortened(f"{c['method']} {c['path']}"): c for c in would["calls"]}
    expected = {line for line, call in named.items() if call["when"] in MADE[state]}
    # What was opened or attached the first time stays so; files are needed again.
    expected |= {UPLOAD} if state == "changed" else set()
    assert {shortened(line) for line in real.lines} == expected

    version = live(person.cloudflare)
    kept = [person.cloudflare.assets[digest].data for digest in set(version.manifest.values())]
    assert would["worker"] == NAME
    assert would["files"] == len(version.manifest)
    assert (would["different_files"], would["file_bytes"]) == (len(kept), sum(map(len, kept)))
    assert would["module_bytes"] == sum(len(data) for _, data in version.modules.values())
    sent_bytes = sum(len(part.data) for part in real.uploaded)
    if state == "first":
        assert sent_bytes == named[UPLOAD]["bytes"]
    else:
        assert sent_bytes < named[UPLOAD]["bytes"]


def shortened(line: str) -> str:
    """A call without what only an answer can tell."""
    line = line.partition("?")[0]
    head, mark, _ = line.partition("/versions/")
    return f"{head}{mark}"


# What goes wrong -------------------------------------------------------------------------------

FAULTS: dict[str, Act] = {
    "401": status(401, 10000, "Authentication error"),
    "403": status(403, 10000, "Authentication error"),
    "429": status(429, 971, "slow down", Retry_After="300"),
    "500": status(500, 10013, "internal"),
    "html": says_html,
    "dropped": drops,
}
# Every kind of call, in the order in which they are made.
READING = (
    ("GET", "/workers/subdomain$"),
    ("GET", "/deployments$"),
)
FIRST = (
    *READING,
    ("POST", "/assets-upload-session$"),
    ("POST", "/assets/upload$"),
    ("PUT", f"{S}$"),
    ("GET", f"{S}/subdomain$"),
    ("POST", f"{S}/subdomain$"),
)
LATER = (
    *READING,
    ("GET", f"{S}/versions/"),
    ("POST", "/assets-upload-session$"),
    ("POST", "/assets/upload$"),
    ("POST", f"{S}/versions$"),
    ("GET", f"{S}/subdomain$"),
    ("POST", f"{S}/deployments$"),
)
# Before these anything is only read.
AHEAD = {*READING, ("GET", f"{S}/versions/")}


def fails(person: Person, method: str, pattern: str, act: Act) -> Run:
    """Publish while a call fails, and go on failing."""
    person.cloudflare.fail(method, pattern, act, 999)
    run = person.publish("--bump", "patch", "--debug", "--json")
    person.cloudflare.faults.clear()
    assert run.code == 4, run.err
    assert "error: " in run.err
    assert run.json["error"] in run.err
    assert any(line.startswith(method) and re.search(pattern, line) for line in run.lines)
    return run


@pytest.mark.parametrize("fault", FAULTS)
def test_a_first_publish_that_fails_at_any_call_is_finished_by_the_same_command(
    person: Person, fault: str
) -> None:
    for method, pattern in FIRST:
        fails(person, method, pattern, FAULTS[fault])
        wanted = [] if (method, pattern) in AHEAD else ["otherapp 1.2.3", "smallapp 1.2.3"]
        assert person.released == wanted
        assert NAME not in person.cloudflare.workers or not person.cloudflare.workers[NAME].enabled

    assert person.publish("--bump", "patch").code == 0
    assert person.released == ["otherapp 1.2.3", "smallapp 1.2.3"]
    assert charts(person.cloudflare) == {"smallapp-1.2.3.tgz", "otherapp-1.2.3.tgz"}
    assert person.cloudflare.workers[NAME].enabled


@pytest.mark.parametrize("fault", FAULTS)
def test_a_later_publish_that_fails_at_any_call_is_finished_by_the_same_command(
    published: Person, fault: str
) -> None:
    before, ledger = live(published.cloudflare).id, published.ledger
    published.change()
    for method, pattern in LATER:
        fails(published, method, pattern, FAULTS[fault])
        assert live(published.cloudflare).id == before
        if (method, pattern) in AHEAD:
            assert published.ledger == ledger
        else:
            assert published.released[2:] == ["smallapp 1.2.4"]

    assert published.publish("--bump", "patch").code == 0
    assert published.released[2:] == ["smallapp 1.2.4"]
    assert "smallapp-1.2.4.tgz" in charts(published.cloudflare)


def test_a_market_that_does_not_arrive_goes_back_to_the_version_before(published: Person) -> None:
    before = live(published.cloudflare).id
    published.change()
    published.cloudflare.stale_answers = 10_000

    run = published.publish("--bump", "patch")

    assert run.code == 4
    assert f"The version from before ({before}) is deployed again" in " ".join(run.err.split())
    assert live(published.cloudflare).id == before
    published.cloudflare.stale_answers = 0
    assert published.publish("--bump", "patch").code == 0
    assert "smallapp-1.2.4.tgz" in charts(published.cloudflare)
    assert published.released[2:] == ["smallapp 1.2.4"]


# Somebody else ---------------------------------------------------------------------------------


@pytest.fixture
def other(published: Person, tmp_path: Path) -> Person:
    """Somebody else with a clone of the market, and something of their own to publish."""
    folder = tmp_path / "other"
    shutil.copytree(published.folder, folder)
    found = Person(folder, published.cloudflare, published.capture, published.log, published.shown)
    found.change(8192)
    return found


def test_what_somebody_else_published_is_replaced_by_force_only(
    published: Person, other: Person
) -> None:
    assert other.publish("--bump", "patch").code == 0
    theirs = live(published.cloudflare).id
    published.change()
    files = published.files()

    run = published.publish("--bump", "patch")

    assert (run.code, run.out, run.changing) == (1, "", [])
    assert "it was not published from here" in run.err
    assert "--force" in run.err
    assert published.files() == files, "nothing is released that could not be deployed"
    assert live(published.cloudflare).id == theirs
    assert published.publish("--bump", "patch", "--force").code == 0
    assert live(published.cloudflare).id != theirs
    assert published.released[2:] == ["smallapp 1.2.4"]


def test_who_publishes_during_a_publish_is_not_overrun(published: Person, other: Person) -> None:
    published.change()
    assert other.publish("--bump", "patch").code == 0
    theirs = live(published.cloudflare).id
    worker = published.cloudflare.workers[NAME]
    del worker.deployments[0]

    def deploys(handler: Handler, reply: Reply) -> None:
        published.cloudflare.deploy(NAME, theirs, {})
        handler.say(reply)

    published.cloudflare.fail("POST", f"{S}/versions$", deploys, after=True)
    run = published.publish("--bump", "patch")

    assert run.code == 1
    assert "somebody else deployed meanwhile" in run.err
    assert live(published.cloudflare).id == theirs
    assert published.publish("--bump", "patch").code == 1
    assert published.publish("--bump", "patch", "--force").code == 0
    assert published.released[2:] == ["smallapp 1.2.4"]


def test_a_domain_of_another_worker_is_refused_before_anything_is_released(
    published: Person,
) -> None:
    published.cloudflare.domains[DOMAIN] = "blog"
    target = f"{{worker: {NAME}, domain: {DOMAIN}}}"
    published.settings(f"url: {URL}\npublish: {{cloudflare: {target}}}\n")
    published.change()
    files = published.files()

    run = published.publish("--bump", "patch")

    assert (run.code, run.changing) == (1, [])
    assert "leads to the Worker 'blog'" in run.err
    assert published.files() == files


def test_an_account_without_a_name_is_told_before_anything_is_released(person: Person) -> None:
    person.cloudflare.subdomain = None
    files = person.files()

    run = person.publish()

    assert (run.code, run.changing) == (1, [])
    assert "no workers.dev name yet" in " ".join(run.err.split())
    assert person.files() == files
    person.settings(SETTINGS.replace("worker:", "account_name: acme, worker:"))
    assert person.publish().code == 0
    assert person.cloudflare.subdomain == "acme"


# The address -----------------------------------------------------------------------------------


def test_an_address_that_devices_will_not_reach_is_told_before_the_release(
    person: Person,
) -> None:
    person.settings(SETTINGS.replace(URL, "https://mymarket.other.workers.dev"))

    run = person.publish()

    assert run.code == 0
    assert "market-url-elsewhere" in run.err
    assert f"devices will reach the market at {URL}" in " ".join(run.err.split())
    assert run.err.index("market-url-elsewhere") < run.err.index("release otherapp 1.2.3")


@pytest.mark.parametrize("words", [("--dry-run",), ()])
def test_the_address_of_a_domain_is_compared_without_asking(
    person: Person, words: tuple[str, ...]
) -> None:
    target = f"{{worker: {NAME}, domain: {DOMAIN}}}"
    person.settings(f"url: {URL}\npublish: {{cloudflare: {target}}}\n")

    run = person.publish(*words)

    assert run.code == 0
    assert run.err.count("market-url-elsewhere") == 1
    assert f"https://{DOMAIN}" in run.err


def test_names_that_cloudflare_cannot_have_are_refused_before_the_release(person: Person) -> None:
    person.settings(f"url: {URL}\npublish: {{cloudflare: {{worker: {NAME}, domain: a..net}}}}\n")

    run = person.publish()

    assert (run.code, run.lines) == (1, [])
    assert "a..net" in run.err
    assert person.ledger == b""
