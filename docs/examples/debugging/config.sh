$ geventcore config check -C site/bcfg2.conf
$ geventcore config show --changed -C site/bcfg2.conf
