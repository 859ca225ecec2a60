"""Rendering: from a spec to the files of a chart."""
