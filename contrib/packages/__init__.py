"""Sites with many packages, and how their resolution compares with apt's; each module is a command."""
