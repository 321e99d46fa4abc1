$ geventcore db import --dry-run
$ geventcore db import
$ geventcore db import /var/lib/bcfg2/etc/bcfg2.sqlite
$ geventcore db import 'postgresql://bcfg2:password@db.example.com/bcfg2?sslmode=require'
