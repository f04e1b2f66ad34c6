"""``fpo-track``: follows jobs and writes what they report into MLflow, Weights & Biases or trackio, through their own packages."""
