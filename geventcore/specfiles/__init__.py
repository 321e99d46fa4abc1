"""The kinds of repository files that plugins build on.

XML files with includes and conditions, directories, and files for hosts or groups. A parsed file is replaced, never
edited, so a render keeps the version with which it began.
"""
