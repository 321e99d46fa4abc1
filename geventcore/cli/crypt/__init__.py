"""``geventcore crypt``: encrypt, decrypt and edit files of the repository, and change a passphrase.

job       the work on one file
modes     the commands, each for one direction
rekeying  a passphrase replaced in the whole repository
original  the command behind the name ``bcfg2-crypt``
"""

from geventcore.cli.crypt.modes import command
from geventcore.cli.crypt.rekeying import rekey

command.add_command(rekey)

__all__ = ["command"]
