"""Template engines: the interface of a template, and the table of engines.

Engines are optional libraries. A missing one breaks only the files that need it.
"""

from geventcore.templating.base import TextTemplate, XMLTemplate, load_text_template, load_xml_template

__all__ = ["TextTemplate", "XMLTemplate", "load_text_template", "load_xml_template"]
