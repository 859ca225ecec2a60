"""Measuring a running endpoint: what is asked of it, and what its answers say."""
