#!/bin/sh
# From an installed package to the first client: first_site.sh [NAME [PORT]], as root. NAME is the server's name for
# clients. "python -m contrib.distribution.try_deb" carries this out in a new Debian.
set -eu
name=${1:-$(hostname -f)} port=${2:-6789}

# begin
geventcore init /var/lib/bcfg2/site --hostname "$name" --address "0.0.0.0:$port"
install -m 640 -g geventcore /var/lib/bcfg2/site/bcfg2.conf /etc/bcfg2.conf
chown -R geventcore: /var/lib/bcfg2
geventcore server --check
systemctl enable --now geventcore
geventcore status
geventcore simulate -C /var/lib/bcfg2/site/client-bcfg2.conf --clients 1
# end
