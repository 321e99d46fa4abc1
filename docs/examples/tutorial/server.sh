$ geventcore server -C site/bcfg2.conf
