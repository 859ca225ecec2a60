"""The spec: what a person writes about an app, and how it is read."""
