$ geventcore info build web01.example.com -C site/bcfg2.conf
