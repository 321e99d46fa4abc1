"""The checks of ``geventcore lint``: faults in the files of a repository.

findings       the result of a check, and the severities
base           the base class of checks
table          the table of checks
site           the repository as checks see it: its files, documents and entries
documents      XML files with the files that they include, and positions in them
runner         the choice, the order and the result of checks
report         output for people and programs
fixes          changes that a program can make
checks         the checks
schema_table   the elements and attributes of each kind of XML file; `schema_writer` makes XML Schemas of it
"""
