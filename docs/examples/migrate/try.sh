$ geventcore migrate check /etc/bcfg2.conf
$ geventcore config check -C /etc/bcfg2.conf -Q /srv/copy
$ geventcore server --check -C /etc/bcfg2.conf -Q /srv/copy
$ geventcore info build web1.example.com -C /etc/bcfg2.conf -Q /srv/copy
