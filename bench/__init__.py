"""What chartgen costs, against Helm, against itself and against its targets. Run `make bench`."""
