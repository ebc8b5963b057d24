"""Figures. Each function takes numbers and returns a matplotlib Figure; the notebooks show them."""
