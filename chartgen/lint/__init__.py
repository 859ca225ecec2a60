"""Checks on specs, charts and packages, and the reports of what they find."""
