"""The kernel workload: keyed events, a state that holds every fact once, an alert at the third fact from two sources."""
