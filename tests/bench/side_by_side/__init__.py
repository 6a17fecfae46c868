# SPDX-License-Identifier: Apache-2.0
"""What taskmon costs beside its peers: one module for each measurement, which yields rows of the table."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "e2e"))
