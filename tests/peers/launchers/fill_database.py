"""Have Bcfg2 1.3.4 make its tables, and store what a file of JSON says: `fill_database.py bcfg2.conf contents.json`.

Reports go through Bcfg2's own storage of reports, the rest through its models. Runs on Python 2.7, with Django and
South. The file has `clients` (name, version), `probes` (client, probe, output), `probe_groups` (client, group),
`reports` (hostname, metadata, stats: the XML of the upload's Statistics element) and `expired` (clients).
"""

import json
import logging
import os
import sys
from datetime import datetime

configuration, contents_file = sys.argv[1:3]
sys.argv[1:] = ["-C", configuration]
os.environ["DJANGO_SETTINGS_MODULE"] = "Bcfg2.settings"
logging.basicConfig(level=logging.WARNING)

import Bcfg2.Options  # noqa: E402 - settings read the command line when they are imported
import Bcfg2.settings  # noqa: E402

Bcfg2.settings.read_config(cfile=configuration)

import Bcfg2.Server.models  # noqa: E402

Bcfg2.Server.models.load_models(plugins=["Metadata", "Probes"], cfile=configuration)

from Bcfg2.Reporting.models import Client  # noqa: E402
from Bcfg2.Reporting.Storage.DjangoORM import DjangoORM  # noqa: E402
from django.core import management  # noqa: E402

with open(contents_file) as stream:
    contents = json.load(stream)

management.call_command("syncdb", verbosity=0, interactive=False)
management.call_command("migrate", verbosity=0, interactive=False)

options = dict(Bcfg2.Options.SERVER_COMMON_OPTIONS, **Bcfg2.Options.REPORTING_COMMON_OPTIONS)
options.update(Bcfg2.Options.CLI_COMMON_OPTIONS)
setup = Bcfg2.Options.OptionParser(options, argv=sys.argv[1:])
setup.parse(sys.argv[1:])
models = Bcfg2.Server.models
for name, version in contents["clients"]:
    models.MetadataClientModel(hostname=name, version=version).save()
for client, probe, output in contents["probes"]:
    models.ProbesDataModel(hostname=client, probe=probe, data=output).save()
for client, group in contents["probe_groups"]:
    models.ProbesGroupsModel(hostname=client, group=group).save()
storage = DjangoORM(setup)
for report in contents["reports"]:
    storage.import_interaction(dict(report, stats=report["stats"].encode("utf-8")))
for client in Client.objects.filter(name__in=contents["expired"]):
    client.expiration = datetime(2014, 7, 1, 12, 0, 0)
    client.save()
