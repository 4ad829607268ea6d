"""`make bench`: how fast Musterbook is, each figure against a control in the same run."""
