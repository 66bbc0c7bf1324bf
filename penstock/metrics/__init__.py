"""A Prometheus as the judge asks it, and the file that says where it is; for the controller and for `backtest`."""
