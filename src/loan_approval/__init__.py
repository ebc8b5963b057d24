"""The training side: from a CSV and its contract to a promoted model file."""
