$ geventcore config check -C site/bcfg2.conf
$ geventcore server --check -C site/bcfg2.conf
