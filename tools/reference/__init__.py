"""docs/reference is written by this, from the code, and a test holds that it is current: `make reference`."""
