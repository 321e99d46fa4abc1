$ geventcore simulate -C site/client-bcfg2.conf --clients 1000 --splay 60
