"""What Penstock tells machines: metrics and traces. Only the servers import it; the command line shows, it measures
nothing."""
