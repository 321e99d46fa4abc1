export LESS=-R
umask 027
