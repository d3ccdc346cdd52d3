"""Captions: finding the media, having them described, writing and keeping what is said about them."""
