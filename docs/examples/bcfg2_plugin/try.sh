$ export PYTHONPATH=/usr/local/lib/bcfg2
$ geventcore config check -C /etc/bcfg2.conf
$ geventcore info build web1.example.com -C /etc/bcfg2.conf
