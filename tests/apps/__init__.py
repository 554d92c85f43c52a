"""Whole applications, from scripted models to software that runs."""
