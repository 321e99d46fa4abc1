"""The plugins of a site."""
