"""Untrusted text made fit for a page: hidden characters visible, findings marked, times in words."""
