$ PASSPHRASE="correct horse battery staple" openssl enc -aes-256-cbc -md md5 -salt -a -pass env:PASSPHRASE -in db.key -out db.key.crypt
