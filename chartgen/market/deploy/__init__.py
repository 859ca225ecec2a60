"""Putting a market's site where devices reach it: Cloudflare Workers, or a folder."""
