"""Batch scoring: many applications from files to files, in bounded memory, each part of the output whole or absent."""
