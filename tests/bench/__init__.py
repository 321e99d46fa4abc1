"""Tests of the benchmarks: what they count and measure is what happened."""
