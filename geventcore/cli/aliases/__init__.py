"""The names of Bcfg2's programs: ``bcfg2-info`` and others, with their own flags, order and output."""
