"""An Olares device in Python: it syncs a market as devices do and says what would go wrong."""
