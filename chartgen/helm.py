"""Charts rendered by Helm itself: the Helm 4 that the package helm-python-sdk brings along.

A chart is handed over as an archive in memory and nothing touches the disk. Loading takes about a
millisecond, each render of a loaded chart a fraction of one, so a chart that is rendered several
times should be opened once.
"""

from __future__ import annotations

import contextlib
import gzip
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from chartgen.chart import Chart
from chartgen.errors import ChartgenError, MissingToolError
from chartgen.package import tar
from chartgen.plain_yaml import UncertainError, read_plain

# How Helm cuts a rendered file into documents (helm v4, pkg/release/v1/util, SplitManifests); its
# own pattern also takes the white space before the line, which costs quadratic time.
_SEPARATOR = re.compile(r"^---\s*", re.MULTILINE)
# Where a template failed: `web/templates/deployment.yaml:12:34`.
_ERROR_PLACE = re.compile(
    r"[^/\s(]+/(?P<path>(?:[^:\s]*/)?templates/[^:\s]+):(?P<line>\d+)(?::(?P<column>\d+))?"
)
_HOOK = "helm.sh/hook"


class HelmRenderError(ChartgenError):
    """A chart that Helm cannot load or render; the message is Helm's own.

    `template` is the path in the chart that it names, empty if none, `line` and `column` count
    from 1, 0 if unknown.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
        place = _ERROR_PLACE.search(message)
        self.template = place["path"] if place else ""
        self.line = int(place["line"]) if place else 0
        self.column = int(place["column"] or 0) if place else 0


@dataclass(frozen=True, slots=True)
class RenderedObject:
    """One Kubernetes object: the template it came from (a path in the chart) and its content."""

    template: str
    data: Mapping[str, Any]

    @property
    def api_version(self) -> str:
        """`apiVersion`, empty where it is missing."""
        return _text(self.data.get("apiVersion"))

    @property
    def kind(self) -> str:
        """`kind`, empty where it is missing."""
        return _text(self.data.get("kind"))

    @property
    def name(self) -> str:
        """`metadata.name`, empty where it is missing."""
        return _text(self._metadata.get("name"))

    @property
    def namespace(self) -> str:
        """`metadata.namespace`, empty where it is missing, as for objects of the cluster."""
        return _text(self._metadata.get("namespace"))

    @property
    def is_hook(self) -> bool:
        """Whether Helm treats the object as a hook and not as part of the release."""
        annotations = self._metadata.get("annotations")
        return isinstance(annotations, Mapping) and _HOOK in annotations

    @property
    def _metadata(self) -> Mapping[str, Any]:
        metadata = self.data.get("metadata")
        return metadata if isinstance(metadata, Mapping) else {}


@dataclass(frozen=True, slots=True)
class BrokenDocument:
    """A rendered document that is no object: Kubernetes could not even be asked about it."""

    template: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one render gave: `texts` maps each template's path to its raw output."""

    texts: Mapping[str, str]
    objects: tuple[RenderedObject, ...] = ()
    broken: tuple[BrokenDocument, ...] = ()


class OpenChart:
    """A chart that Helm has loaded. Output that several renders share is read once."""

    def __init__(self, helm: ModuleType, handle: Any) -> None:
        self._helm = helm
        self._handle = handle
        self._read: dict[str, tuple[Mapping[str, Any] | str, ...]] = {}

    def render(self, values: Mapping[str, object], *, release: str, namespace: str) -> Rendered:
        """Render all templates with `values` over the chart's own values.

        Raises HelmRenderError where a template fails.
        """
        return self.read(self.render_texts(values, release=release, namespace=namespace))

    def read(self, texts: Mapping[str, str]) -> Rendered:
        """Return the objects in the output of `render_texts`."""
        objects: list[RenderedObject] = []
        broken: list[BrokenDocument] = []
        for template, text in texts.items():
            # Half of all output is that of an earlier render.
            if text not in self._read:
                self._read[text] = tuple(self._documents(text))
            for document in self._read[text]:
                if isinstance(document, str):
                    broken.append(BrokenDocument(template, document))
                else:
                    objects.append(RenderedObject(template, document))
        return Rendered(texts, tuple(objects), tuple(broken))

    def render_texts(
        self, values: Mapping[str, object], *, release: str, namespace: str
    ) -> Mapping[str, str]:
        """Render as `render` does and return the raw output by path in the chart."""
        try:
            output = self._handle.render(dict(values), name=release, namespace=namespace)
        except self._helm.HelmError as error:
            raise HelmRenderError(str(error)) from error
        return {
            key.partition("/")[2]: text
            for key, text in sorted(output.items())
            if not key.endswith("NOTES.txt")
        }

    def _documents(self, text: str) -> Iterator[Mapping[str, Any] | str]:
        """Parse as the device does (sigs.k8s.io/yaml); a str says why that failed."""
        for piece in _SEPARATOR.split(text.strip()):
            # Helm trims each document, and ends its line again when it joins them to a manifest.
            document = piece.strip() + "\n"
            if "\0" in document:
                yield "it holds a NUL character"
                continue
            try:
                content = self._content(document)
            except self._helm.HelmError as error:
                yield _one_line(str(error))
                continue
            if content:
                yield content

    def _content(self, document: str) -> Mapping[str, Any]:
        try:
            # Asking Helm for what is certain would take a sixth of a chart's lint.
            content = read_plain(document)
        except UncertainError:
            content = None
        return content if isinstance(content, dict) else self._helm.values_from_yaml(document)


@contextlib.contextmanager
def open_chart(chart: Chart) -> Iterator[OpenChart]:
    """Load a chart into Helm for any number of renders; the handle is closed at the end.

    Raises HelmRenderError for a chart that Helm refuses to load, MissingToolError where the
    package helm-python-sdk is not installed or holds no library for this machine.
    """
    helm = _helm()
    try:
        handle = helm.Chart.load_archive(_archive(chart))
    except helm.HelmError as error:
        raise HelmRenderError(str(error)) from error
    with handle:
        yield OpenChart(helm, handle)


def render(chart: Chart, values: Mapping[str, object], *, release: str, namespace: str) -> Rendered:
    """Load a chart and render it once. Raises what `open_chart` and `OpenChart.render` raise."""
    with open_chart(chart) as opened:
        return opened.render(values, release=release, namespace=namespace)


def render_text(
    text: str,
    values: Mapping[str, object],
    *,
    release: str,
    namespace: str,
    partials: Iterable[bytes] = (),
) -> str:
    """Render one text that stands alone, such as a manifest.

    `partials` are files of `define` blocks that it may include. Raises as `render` does.
    """
    files = {f"templates/_{number}.tpl": data for number, data in enumerate(partials)}
    files["Chart.yaml"] = b"apiVersion: v2\nname: chart\nversion: 0.0.1\n"
    files["templates/text"] = text.encode()
    with open_chart(Chart("chart", files)) as opened:
        texts = opened.render_texts(values, release=release, namespace=namespace)
    return texts["templates/text"]


def _helm() -> ModuleType:
    try:
        import helm_python
    except ImportError as error:
        raise MissingToolError(
            "rendering needs the package helm-python-sdk; install it with "
            "`pip install helm-python-sdk`"
        ) from error
    except Exception as error:
        # The package loads its library on import and raises its own HelmLibraryError, which
        # cannot be named before the import has succeeded.
        raise MissingToolError(f"Helm's library does not load here: {error}") from error
    return helm_python


def _archive(chart: Chart) -> bytes:
    # Level 0: the archive never leaves this process.
    files = {f"{chart.name or 'chart'}/{path}": data for path, data in chart.files.items()}
    return gzip.compress(tar.encode(files), compresslevel=0, mtime=0)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
