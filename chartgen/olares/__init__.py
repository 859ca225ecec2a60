"""What Olares is like: platforms, injected values, names and limits."""
