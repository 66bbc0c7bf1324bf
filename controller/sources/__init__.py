"""Where the judge's numbers come from: a Prometheus, or the pods themselves."""
