"""The bridge: channels, ports, patches, the command line and the daemon."""

__version__ = "0.1.0"
