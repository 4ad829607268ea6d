"""Lists from files: uploaded, read by the worker, matched with accounts, and made a preview like any other."""
