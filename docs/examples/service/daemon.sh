$ geventcore server -C site/bcfg2.conf -D site/run/server.pid -o site/server.log
$ kill -HUP $(cat site/run/server.pid)
$ kill $(cat site/run/server.pid)
