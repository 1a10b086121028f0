"""Firewalls that exist in memory only, behind a real SSH server on the loopback address. One file for each platform; what they say and how
they behave was taken from the vendors' documents, not from devices.
"""
