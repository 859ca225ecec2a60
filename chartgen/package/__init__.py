"""Packages: the `.tgz` of a chart, written and read without surprises."""
