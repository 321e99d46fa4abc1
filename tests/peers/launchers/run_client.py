"""Run the `bcfg2` client script which pip put beside this interpreter, on Python 3."""

import os
import runpy
import sys
import sysconfig

import python3_compat

python3_compat.install_for_client()
sys.argv[0] = os.path.join(sysconfig.get_path("scripts"), "bcfg2")
runpy.run_path(sys.argv[0], run_name="__main__")
