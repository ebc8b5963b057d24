"""The factories. A class in a new file here is found by its `name`."""
