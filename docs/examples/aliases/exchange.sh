$ geventcore install-aliases --directory /usr/sbin --force
installed /usr/sbin/bcfg2-server
installed /usr/sbin/bcfg2-info
...
$ systemctl restart bcfg2-server
