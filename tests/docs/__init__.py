"""Every command, code, metric, setting and link that the documentation names is there."""
