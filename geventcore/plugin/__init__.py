"""The contract of plugins: what they are, what they are given, and what they are asked."""
