"""Data sets as they change: drafted, versioned, checked, and found again."""
