"""The seed's interface: one logger, functions for every module, back ends by name."""
