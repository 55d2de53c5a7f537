"""The floor and the rivals: each file is a program that prints one JSON line of results."""
