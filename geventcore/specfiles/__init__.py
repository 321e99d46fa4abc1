"""The file families that plugins are made of: XML files with includes and conditions, directories, host- and
group-specific files. Parsed files are replaced, never edited, so a render that is under way keeps what it began with.
"""
