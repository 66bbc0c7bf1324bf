"""The admission webhook: stateless, asks nothing while it answers, never in the way of a deployment."""
