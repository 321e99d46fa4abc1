"""New plugins and cores of a site: a module, its test and its page, to begin with.

What is written runs and passes its test as it is.
"""
