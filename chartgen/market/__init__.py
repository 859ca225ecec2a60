"""The market: its settings, and what it offers."""
