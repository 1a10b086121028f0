"""The loss ledger: mail is sent through a site's service addresses, every answer is written down, and every mailbox is reconciled."""
