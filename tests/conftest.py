# SPDX-License-Identifier: MIT
"""Loads the plugin that gives tests their virtual machines."""

pytest_plugins = ["vm_plugin"]
