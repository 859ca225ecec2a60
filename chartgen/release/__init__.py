"""Releases: the append-only ledger, what changed since, bumps and change notes."""
