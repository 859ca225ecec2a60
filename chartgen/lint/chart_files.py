"""The files of a chart as findings name them, and which of them are templates."""

from __future__ import annotations

from collections.abc import Iterator

from chartgen.chart import Chart

MANIFEST = "OlaresManifest.yaml"
_SINGLE_FILES = (".tgz", ".tar.gz", ".yaml", ".yml")


def chart_file(chart: Chart, path: str) -> str:
    """Name a file of a chart: below its folder, or after a `!` where the chart is one file."""
    origin = chart.origin or chart.name
    if origin.endswith(_SINGLE_FILES):
        return f"{origin}!{path}"
    return f"{origin.rstrip('/')}/{path}" if origin else path


def template_files(chart: Chart) -> Iterator[tuple[str, str]]:
    """Yield path and text of each file in a `templates` folder, those of subcharts included."""
    for path in chart.files:
        if "templates" in path.split("/")[:-1]:
            text = chart.text(path)
            if text is not None:
                yield path, text


def subchart(chart: Chart, name: str) -> Chart:
    """Return the chart in a folder of a chart (apiVersion v2); it has no files if that lacks."""
    prefix = f"{name}/"
    files = {
        path.removeprefix(prefix): data
        for path, data in chart.files.items()
        if path.startswith(prefix)
    }
    return Chart(name, files, chart_file(chart, name))
