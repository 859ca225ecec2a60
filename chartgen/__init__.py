"""chartgen: one YAML file per app in, a tested Olares chart out."""

__version__ = "0.1.0"
