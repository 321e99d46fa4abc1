$ geventcore server -C site/bcfg2.conf
$ geventcore simulate -C site/client-bcfg2.conf --clients 20
