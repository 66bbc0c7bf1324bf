"""The pure part of Penstock: what it means, decided without I/O, clock or randomness."""
