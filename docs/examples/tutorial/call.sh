$ password=$(sed -n 's/^password = //p' site/client-bcfg2.conf)
$ call='<methodCall><methodName>GetConfig</methodName></methodCall>'
$ curl -sS --cacert site/tls/ca.crt -u "web01.example.com:$password" -d "$call" https://127.0.0.1:6789/ | grep -A1 /etc/motd
