"""Every way out; each reads the ledger and none knows another."""
