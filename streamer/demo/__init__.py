"""The demo's own world: generated events with their truth. Not for: anything that the product decides with."""
