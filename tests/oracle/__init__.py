"""The lint that an Olares device runs, asked beside chartgen's own."""
