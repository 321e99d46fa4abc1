"""The work of the administrator's commands, without the command line.

site             a core without a network, and the choice of hosts
host_processes   a function called for many hosts, in several processes
explain          where the values of a host's configuration come from
diff             the comparison of two states of a site, for all hosts
compare          the differences of built configurations
server_calls     calls of a running server
shadow           a comparison with a running Bcfg2 server
pulling          files of clients that become files of the repository
inspection       the tables and texts of ``info``
build_test       the failures in the configurations of clients
build_directory  the files of a configuration, written to a directory
"""
