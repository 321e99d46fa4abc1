$ geventcore simulate -C site/client-bcfg2.conf --clients 10
