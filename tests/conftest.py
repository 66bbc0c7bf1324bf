"""What every test run has: a count by kind at its end, and pytester for the test of that count."""

pytest_plugins = ["pytester", "tests.kinds"]
