"""Reference values for datasets; see fill."""
