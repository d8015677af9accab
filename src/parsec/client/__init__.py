"""The client library: flows, what drives them, and where a device's secrets are kept."""
