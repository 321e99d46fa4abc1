$ geventcore crypt encrypt -p site --remove Cfg/etc/db.key/db.key
$ geventcore crypt encrypt -p site Properties/db.xml
$ geventcore crypt decrypt Cfg/etc/db.key/db.key.crypt
