# SPDX-License-Identifier: MIT
"""What is measured, a file each. A family's measure(build, rounds, long) returns its tables."""
