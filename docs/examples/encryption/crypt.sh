$ geventcore crypt -p site --encrypt --remove Cfg/etc/db.key/db.key
$ geventcore crypt -p site --encrypt Properties/db.xml
$ geventcore crypt --decrypt --stdout Cfg/etc/db.key/db.key.crypt
