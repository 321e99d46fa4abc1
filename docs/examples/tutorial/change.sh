$ echo "Today is a good day." > site/repository/Cfg/etc/motd/motd.H_web01.example.com
