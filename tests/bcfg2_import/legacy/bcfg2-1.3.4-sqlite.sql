BEGIN TRANSACTION;
CREATE TABLE "Reporting_actionentry" ("status" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "name" varchar(128) NOT NULL, "exists" bool NOT NULL, "state" INTEGER NOT NULL, "output" INTEGER NOT NULL, "id" INTEGER PRIMARY KEY);
INSERT INTO "Reporting_actionentry" VALUES('check',-5466639705730740333,'restart',1,1,-1,1);
CREATE TABLE "Reporting_bundle" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(255) NOT NULL UNIQUE);
INSERT INTO "Reporting_bundle" VALUES(1,'base');
INSERT INTO "Reporting_bundle" VALUES(2,'nginx');
CREATE TABLE "Reporting_client" ("id" integer NOT NULL PRIMARY KEY, "creation" datetime NOT NULL, "name" varchar(128) NOT NULL, "current_interaction_id" integer NULL, "expiration" datetime NULL);
INSERT INTO "Reporting_client" VALUES(1,'2026-11-22 12:33:21.647847','alpha.example.net',3,NULL);
INSERT INTO "Reporting_client" VALUES(2,'2026-11-22 12:33:22.491336','beta.example.net',4,NULL);
INSERT INTO "Reporting_client" VALUES(3,'2026-11-22 12:33:22.579252','Gamma.example.net',5,'2014-07-01 12:00:00');
CREATE TABLE "Reporting_deviceentry" ("pathentry_ptr_id" integer NOT NULL PRIMARY KEY, "device_type" varchar(16) NOT NULL, "target_major" integer NOT NULL, "target_minor" integer NOT NULL, "current_major" integer NOT NULL, "current_minor" integer NOT NULL);
CREATE TABLE "Reporting_failureentry" ("entry_type" varchar(128) NOT NULL, "message" TEXT NOT NULL, "hash_key" bigint NOT NULL, "id" INTEGER PRIMARY KEY, "name" varchar(128) NOT NULL);
INSERT INTO "Reporting_failureentry" VALUES('Path','no generator for it',-2171962846423706147,1,'/etc/unbound');
CREATE TABLE "Reporting_fileacl" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL);
CREATE TABLE "Reporting_fileperms" ("owner" varchar(128) NOT NULL, "group" varchar(128) NOT NULL, "mode" varchar(128) NOT NULL, "id" INTEGER PRIMARY KEY);
INSERT INTO "Reporting_fileperms" VALUES('root','root','0644',1);
INSERT INTO "Reporting_fileperms" VALUES('daemon','daemon','0600',2);
INSERT INTO "Reporting_fileperms" VALUES('root','root','0600',3);
INSERT INTO "Reporting_fileperms" VALUES('','','0644',4);
INSERT INTO "Reporting_fileperms" VALUES('','','',5);
INSERT INTO "Reporting_fileperms" VALUES('root','root','',6);
INSERT INTO "Reporting_fileperms" VALUES('root','root','0755',7);
CREATE TABLE "Reporting_group" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(255) NOT NULL UNIQUE, "profile" bool NOT NULL, "public" bool NOT NULL, "category" varchar(1024) NOT NULL, "comment" text NOT NULL);
INSERT INTO "Reporting_group" VALUES(1,'web',0,0,'','');
INSERT INTO "Reporting_group" VALUES(2,'blue',0,0,'','');
INSERT INTO "Reporting_group" VALUES(3,'debian',0,0,'','');
CREATE TABLE "Reporting_group_bundles" ("id" integer NOT NULL PRIMARY KEY, "group_id" integer NOT NULL, "bundle_id" integer NOT NULL);
CREATE TABLE "Reporting_group_groups" ("id" integer NOT NULL PRIMARY KEY, "from_group_id" integer NOT NULL, "to_group_id" integer NOT NULL);
CREATE TABLE "Reporting_interaction" ("bad_count" INTEGER NOT NULL, "extra_count" INTEGER NOT NULL, "timestamp" datetime NOT NULL, "profile_id" integer NULL, "server" varchar(256) NOT NULL, "state" varchar(32) NOT NULL, "repo_rev_code" varchar(64) NOT NULL, "good_count" INTEGER NOT NULL, "client_id" INTEGER NOT NULL, "total_count" INTEGER NOT NULL, "modified_count" INTEGER NOT NULL, "id" INTEGER PRIMARY KEY);
INSERT INTO "Reporting_interaction" VALUES(23,2,'2014-03-01 13:00:00',1,'bcfg2.example.net','dirty','r42',7,1,30,1,1);
INSERT INTO "Reporting_interaction" VALUES(23,0,'2014-03-01 13:30:00',1,'bcfg2.example.net','dirty','r42',7,1,30,0,2);
INSERT INTO "Reporting_interaction" VALUES(0,0,'2014-03-01 14:00:00',1,'bcfg2.example.net','clean','r42',7,1,30,0,3);
INSERT INTO "Reporting_interaction" VALUES(0,0,'2014-10-26 02:15:00',1,'bcfg2.example.net','clean','r42',7,2,30,0,4);
INSERT INTO "Reporting_interaction" VALUES(0,0,'2014-07-01 10:00:00',1,'bcfg2.example.net','clean','r42',7,3,30,0,5);
CREATE TABLE "Reporting_interaction_actions" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "actionentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_actions" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_actions" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_bundles" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "bundle_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_bundles" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_bundles" VALUES(2,1,2);
INSERT INTO "Reporting_interaction_bundles" VALUES(3,2,1);
INSERT INTO "Reporting_interaction_bundles" VALUES(4,2,2);
INSERT INTO "Reporting_interaction_bundles" VALUES(5,3,1);
INSERT INTO "Reporting_interaction_bundles" VALUES(6,3,2);
INSERT INTO "Reporting_interaction_bundles" VALUES(7,4,1);
INSERT INTO "Reporting_interaction_bundles" VALUES(8,4,2);
INSERT INTO "Reporting_interaction_bundles" VALUES(9,5,1);
INSERT INTO "Reporting_interaction_bundles" VALUES(10,5,2);
CREATE TABLE "Reporting_interaction_failures" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "failureentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_failures" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_failures" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_groups" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "group_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_groups" VALUES(1,1,2);
INSERT INTO "Reporting_interaction_groups" VALUES(2,1,3);
INSERT INTO "Reporting_interaction_groups" VALUES(3,2,2);
INSERT INTO "Reporting_interaction_groups" VALUES(4,2,3);
INSERT INTO "Reporting_interaction_groups" VALUES(5,3,2);
INSERT INTO "Reporting_interaction_groups" VALUES(6,3,3);
INSERT INTO "Reporting_interaction_groups" VALUES(7,4,2);
INSERT INTO "Reporting_interaction_groups" VALUES(8,4,3);
CREATE TABLE "Reporting_interaction_packages" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "packageentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_packages" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_packages" VALUES(2,1,2);
INSERT INTO "Reporting_interaction_packages" VALUES(3,1,3);
INSERT INTO "Reporting_interaction_packages" VALUES(4,2,1);
INSERT INTO "Reporting_interaction_packages" VALUES(5,2,2);
CREATE TABLE "Reporting_interaction_paths" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "pathentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_paths" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_paths" VALUES(2,1,2);
INSERT INTO "Reporting_interaction_paths" VALUES(3,1,3);
INSERT INTO "Reporting_interaction_paths" VALUES(4,1,4);
INSERT INTO "Reporting_interaction_paths" VALUES(5,1,5);
INSERT INTO "Reporting_interaction_paths" VALUES(6,1,6);
INSERT INTO "Reporting_interaction_paths" VALUES(7,1,7);
INSERT INTO "Reporting_interaction_paths" VALUES(8,2,4);
INSERT INTO "Reporting_interaction_paths" VALUES(9,2,6);
INSERT INTO "Reporting_interaction_paths" VALUES(10,2,8);
INSERT INTO "Reporting_interaction_paths" VALUES(11,2,9);
INSERT INTO "Reporting_interaction_paths" VALUES(12,2,10);
INSERT INTO "Reporting_interaction_paths" VALUES(13,2,11);
INSERT INTO "Reporting_interaction_paths" VALUES(14,2,12);
CREATE TABLE "Reporting_interaction_posixgroups" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "posixgroupentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_posixgroups" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_posixgroups" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_posixusers" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "posixuserentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_posixusers" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_posixusers" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_sebooleans" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "sebooleanentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_sebooleans" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_sebooleans" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_sefcontexts" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "sefcontextentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_sefcontexts" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_sefcontexts" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_seinterfaces" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "seinterfaceentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_seinterfaces" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_seinterfaces" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_selogins" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "seloginentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_selogins" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_selogins" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_semodules" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "semoduleentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_semodules" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_semodules" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_senodes" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "senodeentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_senodes" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_senodes" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_sepermissives" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "sepermissiveentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_sepermissives" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_sepermissives" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_seports" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "seportentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_seports" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_seports" VALUES(2,2,1);
CREATE TABLE "Reporting_interaction_services" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "serviceentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_services" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_services" VALUES(2,1,2);
INSERT INTO "Reporting_interaction_services" VALUES(3,1,3);
INSERT INTO "Reporting_interaction_services" VALUES(4,2,1);
CREATE TABLE "Reporting_interaction_seusers" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "seuserentry_id" integer NOT NULL);
INSERT INTO "Reporting_interaction_seusers" VALUES(1,1,1);
INSERT INTO "Reporting_interaction_seusers" VALUES(2,2,1);
CREATE TABLE "Reporting_linkentry" ("pathentry_ptr_id" integer NOT NULL PRIMARY KEY, "target_path" varchar(1024) NOT NULL, "current_path" varchar(1024) NOT NULL);
INSERT INTO "Reporting_linkentry" VALUES(5,'motd','issue');
INSERT INTO "Reporting_linkentry" VALUES(11,'motd','issue');
CREATE TABLE "Reporting_packageentry" ("target_version" varchar(1024) NOT NULL, "name" varchar(128) NOT NULL, "exists" bool NOT NULL, "verification_details" TEXT NOT NULL, "state" INTEGER NOT NULL, "current_version" varchar(1024) NOT NULL, "hash_key" bigint NOT NULL, "id" INTEGER PRIMARY KEY);
INSERT INTO "Reporting_packageentry" VALUES('1.24-1','nginx',1,'',1,'1.22-9',-6882816901206153315,1);
INSERT INTO "Reporting_packageentry" VALUES('9.0','vim',0,'',1,'',5119697085062118595,2);
INSERT INTO "Reporting_packageentry" VALUES('','telnetd',1,'',3,'0.17-5.amd64',-3085903996314941751,3);
CREATE TABLE "Reporting_pathentry" ("hash_key" bigint NOT NULL, "name" varchar(128) NOT NULL, "exists" bool NOT NULL, "state" INTEGER NOT NULL, "detail_type" INTEGER NOT NULL, "path_type" varchar(128) NOT NULL, "details" TEXT NOT NULL, "id" INTEGER PRIMARY KEY, "target_perms_id" INTEGER NOT NULL, "current_perms_id" INTEGER NOT NULL);
INSERT INTO "Reporting_pathentry" VALUES(-7853094010193450447,'/etc/motd',1,1,1,'file','- Grüße
+ Gruß
  Ende',1,1,2);
INSERT INTO "Reporting_pathentry" VALUES(4966533624226889973,'/etc/key',1,1,3,'file','',2,3,4);
INSERT INTO "Reporting_pathentry" VALUES(2546941409848478100,'/etc/blob',1,1,2,'file','AQEBAQEBAQEB',3,1,5);
INSERT INTO "Reporting_pathentry" VALUES(4143908557928609152,'/etc/large',1,1,4,'file','c5ce785d50f7855c3dc6194f57152291',4,1,5);
INSERT INTO "Reporting_pathentry" VALUES(9016438145544628265,'/etc/link',1,1,0,'symlink','',5,6,5);
INSERT INTO "Reporting_pathentry" VALUES(-8395886371876038990,'/etc/gone',1,1,0,'nonexistent','',6,6,5);
INSERT INTO "Reporting_pathentry" VALUES(-5211376348349151407,'/srv',1,1,6,'directory','/srv/x
/srv/y',7,7,5);
INSERT INTO "Reporting_pathentry" VALUES(3966390796754544987,'/etc/motd',1,1,1,'file','- Grüße
+ Gruß
  Ende',8,1,2);
INSERT INTO "Reporting_pathentry" VALUES(5226865532027350801,'/etc/key',1,1,3,'file','',9,3,4);
INSERT INTO "Reporting_pathentry" VALUES(-4819877763648132227,'/etc/blob',1,1,2,'file','AQEBAQEBAQEB',10,1,5);
INSERT INTO "Reporting_pathentry" VALUES(-5255726543536052790,'/etc/link',1,1,0,'symlink','',11,6,5);
INSERT INTO "Reporting_pathentry" VALUES(2642624442264987620,'/srv',1,1,6,'directory','/srv/x
/srv/y',12,7,5);
CREATE TABLE "Reporting_pathentry_acls" ("id" integer NOT NULL PRIMARY KEY, "pathentry_id" integer NOT NULL, "fileacl_id" integer NOT NULL);
CREATE TABLE "Reporting_performance" ("id" integer NOT NULL PRIMARY KEY, "interaction_id" integer NOT NULL, "metric" varchar(128) NOT NULL, "value" decimal NOT NULL);
INSERT INTO "Reporting_performance" VALUES(1,1,'start',1393675190.125);
INSERT INTO "Reporting_performance" VALUES(2,1,'inventory',1393675191.625);
INSERT INTO "Reporting_performance" VALUES(3,1,'finished',1393675194.375);
INSERT INTO "Reporting_performance" VALUES(4,2,'start',1393676990);
INSERT INTO "Reporting_performance" VALUES(5,2,'inventory',1393676991.5);
INSERT INTO "Reporting_performance" VALUES(6,2,'finished',1393676994.25);
INSERT INTO "Reporting_performance" VALUES(7,3,'start',1393678790);
INSERT INTO "Reporting_performance" VALUES(8,3,'inventory',1393678791.5);
INSERT INTO "Reporting_performance" VALUES(9,3,'finished',1393678794.25);
INSERT INTO "Reporting_performance" VALUES(10,4,'start',1414286090);
INSERT INTO "Reporting_performance" VALUES(11,4,'inventory',1414286091.5);
INSERT INTO "Reporting_performance" VALUES(12,4,'finished',1414286094.25);
CREATE TABLE "Reporting_posixgroupentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL, "gid" integer NULL, "current_gid" integer NULL);
INSERT INTO "Reporting_posixgroupentry" VALUES(1,'users',-5770106306078784830,1,1,100,101);
CREATE TABLE "Reporting_posixuserentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL, "uid" integer NULL, "current_uid" integer NULL, "group" varchar(64) NOT NULL, "current_group" varchar(64) NULL, "gecos" varchar(1024) NOT NULL, "current_gecos" varchar(1024) NULL, "home" varchar(1024) NOT NULL, "current_home" varchar(1024) NULL, "shell" varchar(1024) NOT NULL, "current_shell" varchar(1024) NULL);
INSERT INTO "Reporting_posixuserentry" VALUES(1,'alice',-6585730985707962419,1,1,1000,1001,'users',NULL,'Alice',NULL,'/home/alice',NULL,'/bin/sh','/bin/zsh');
CREATE TABLE "Reporting_sebooleanentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL, "value" bool NOT NULL);
INSERT INTO "Reporting_sebooleanentry" VALUES(1,'httpd_can_sendmail',2474137485503683168,1,1,1);
CREATE TABLE "Reporting_sefcontextentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL, "selinuxtype" varchar(128) NOT NULL, "current_selinuxtype" varchar(128) NULL, "filetype" varchar(16) NOT NULL);
INSERT INTO "Reporting_sefcontextentry" VALUES(1,'/srv(/.*)?',2578971868106482386,1,1,'srv_t','tmp_t','all');
CREATE TABLE "Reporting_seinterfaceentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL, "selinuxtype" varchar(128) NOT NULL, "current_selinuxtype" varchar(128) NULL);
INSERT INTO "Reporting_seinterfaceentry" VALUES(1,'eth0',-6195639664707420905,1,1,'netif_t','other_t');
CREATE TABLE "Reporting_seloginentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL, "selinuxuser" varchar(128) NOT NULL, "current_selinuxuser" varchar(128) NULL);
INSERT INTO "Reporting_seloginentry" VALUES(1,'alice',1183756710480297117,1,1,'staff_u','user_u');
CREATE TABLE "Reporting_semoduleentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL, "disabled" bool NOT NULL, "current_disabled" bool NOT NULL);
INSERT INTO "Reporting_semoduleentry" VALUES(1,'foo',1240669337622004271,1,1,0,1);
CREATE TABLE "Reporting_senodeentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL, "selinuxtype" varchar(128) NOT NULL, "current_selinuxtype" varchar(128) NULL, "proto" varchar(4) NOT NULL);
INSERT INTO "Reporting_senodeentry" VALUES(1,'192.0.2.0/24',360405295648637373,1,1,'node_t',NULL,'ipv4');
CREATE TABLE "Reporting_sepermissiveentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL);
INSERT INTO "Reporting_sepermissiveentry" VALUES(1,'httpd_t',4022274897367242129,1,1);
CREATE TABLE "Reporting_seportentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL, "selinuxtype" varchar(128) NOT NULL, "current_selinuxtype" varchar(128) NULL);
INSERT INTO "Reporting_seportentry" VALUES(1,'tcp/8080',-239516819571005863,1,1,'http_port_t','other_port_t');
CREATE TABLE "Reporting_serviceentry" ("hash_key" bigint NOT NULL, "name" varchar(128) NOT NULL, "exists" bool NOT NULL, "current_status" varchar(128) NOT NULL, "state" INTEGER NOT NULL, "target_status" varchar(128) NOT NULL, "id" INTEGER PRIMARY KEY);
INSERT INTO "Reporting_serviceentry" VALUES(-8930084311834234295,'nginx',1,'off',1,'',1);
INSERT INTO "Reporting_serviceentry" VALUES(-4304751591324522030,'rpcbind',1,'on',3,'',2);
INSERT INTO "Reporting_serviceentry" VALUES(-1744764293674605439,'cron',1,'off',2,'',3);
CREATE TABLE "Reporting_seuserentry" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(128) NOT NULL, "hash_key" bigint NOT NULL, "state" integer NOT NULL, "exists" bool NOT NULL, "roles" varchar(128) NOT NULL, "current_roles" varchar(128) NULL, "prefix" varchar(128) NOT NULL, "current_prefix" varchar(128) NULL);
INSERT INTO "Reporting_seuserentry" VALUES(1,'staff_u',-6810426965407294369,1,1,'staff_r','user_r','user','user');
CREATE TABLE "Server_metadataclientmodel" (
    "hostname" varchar(255) NOT NULL PRIMARY KEY,
    "version" varchar(31)
);
INSERT INTO "Server_metadataclientmodel" VALUES('alpha.example.net','1.3.4');
INSERT INTO "Server_metadataclientmodel" VALUES('beta.example.net',NULL);
INSERT INTO "Server_metadataclientmodel" VALUES('Gamma.example.net','1.3.3');
CREATE TABLE "Server_probesdatamodel" (
    "id" integer NOT NULL PRIMARY KEY,
    "hostname" varchar(255) NOT NULL,
    "probe" varchar(255) NOT NULL,
    "timestamp" datetime NOT NULL,
    "data" text
);
INSERT INTO "Server_probesdatamodel" VALUES(1,'alpha.example.net','arch','2026-11-22 12:33:21.474229','x86_64
');
INSERT INTO "Server_probesdatamodel" VALUES(2,'alpha.example.net','motd','2026-11-22 12:33:21.510473','Grüße
');
INSERT INTO "Server_probesdatamodel" VALUES(3,'beta.example.net','arch','2026-11-22 12:33:21.542704','aarch64
');
CREATE TABLE "Server_probesgroupsmodel" (
    "id" integer NOT NULL PRIMARY KEY,
    "hostname" varchar(255) NOT NULL,
    "group" varchar(255) NOT NULL
);
INSERT INTO "Server_probesgroupsmodel" VALUES(1,'alpha.example.net','zone-b');
INSERT INTO "Server_probesgroupsmodel" VALUES(2,'alpha.example.net','arch-x');
INSERT INTO "Server_probesgroupsmodel" VALUES(3,'delta.example.net','lonely');
CREATE TABLE "auth_group" (
    "id" integer NOT NULL PRIMARY KEY,
    "name" varchar(80) NOT NULL UNIQUE
);
CREATE TABLE "auth_group_permissions" (
    "id" integer NOT NULL PRIMARY KEY,
    "group_id" integer NOT NULL,
    "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id"),
    UNIQUE ("group_id", "permission_id")
);
CREATE TABLE "auth_permission" (
    "id" integer NOT NULL PRIMARY KEY,
    "name" varchar(50) NOT NULL,
    "content_type_id" integer NOT NULL,
    "codename" varchar(100) NOT NULL,
    UNIQUE ("content_type_id", "codename")
);
INSERT INTO "auth_permission" VALUES(1,'Can add permission',1,'add_permission');
INSERT INTO "auth_permission" VALUES(2,'Can change permission',1,'change_permission');
INSERT INTO "auth_permission" VALUES(3,'Can delete permission',1,'delete_permission');
INSERT INTO "auth_permission" VALUES(4,'Can add group',2,'add_group');
INSERT INTO "auth_permission" VALUES(5,'Can change group',2,'change_group');
INSERT INTO "auth_permission" VALUES(6,'Can delete group',2,'delete_group');
INSERT INTO "auth_permission" VALUES(7,'Can add user',3,'add_user');
INSERT INTO "auth_permission" VALUES(8,'Can change user',3,'change_user');
INSERT INTO "auth_permission" VALUES(9,'Can delete user',3,'delete_user');
INSERT INTO "auth_permission" VALUES(10,'Can add content type',4,'add_contenttype');
INSERT INTO "auth_permission" VALUES(11,'Can change content type',4,'change_contenttype');
INSERT INTO "auth_permission" VALUES(12,'Can delete content type',4,'delete_contenttype');
INSERT INTO "auth_permission" VALUES(13,'Can add session',5,'add_session');
INSERT INTO "auth_permission" VALUES(14,'Can change session',5,'change_session');
INSERT INTO "auth_permission" VALUES(15,'Can delete session',5,'delete_session');
INSERT INTO "auth_permission" VALUES(16,'Can add site',6,'add_site');
INSERT INTO "auth_permission" VALUES(17,'Can change site',6,'change_site');
INSERT INTO "auth_permission" VALUES(18,'Can delete site',6,'delete_site');
INSERT INTO "auth_permission" VALUES(19,'Can add log entry',7,'add_logentry');
INSERT INTO "auth_permission" VALUES(20,'Can change log entry',7,'change_logentry');
INSERT INTO "auth_permission" VALUES(21,'Can delete log entry',7,'delete_logentry');
INSERT INTO "auth_permission" VALUES(22,'Can add metadata client model',8,'add_metadataclientmodel');
INSERT INTO "auth_permission" VALUES(23,'Can change metadata client model',8,'change_metadataclientmodel');
INSERT INTO "auth_permission" VALUES(24,'Can delete metadata client model',8,'delete_metadataclientmodel');
INSERT INTO "auth_permission" VALUES(25,'Can add probes data model',9,'add_probesdatamodel');
INSERT INTO "auth_permission" VALUES(26,'Can change probes data model',9,'change_probesdatamodel');
INSERT INTO "auth_permission" VALUES(27,'Can delete probes data model',9,'delete_probesdatamodel');
INSERT INTO "auth_permission" VALUES(28,'Can add probes groups model',10,'add_probesgroupsmodel');
INSERT INTO "auth_permission" VALUES(29,'Can change probes groups model',10,'change_probesgroupsmodel');
INSERT INTO "auth_permission" VALUES(30,'Can delete probes groups model',10,'delete_probesgroupsmodel');
INSERT INTO "auth_permission" VALUES(31,'Can add migration history',11,'add_migrationhistory');
INSERT INTO "auth_permission" VALUES(32,'Can change migration history',11,'change_migrationhistory');
INSERT INTO "auth_permission" VALUES(33,'Can delete migration history',11,'delete_migrationhistory');
INSERT INTO "auth_permission" VALUES(34,'Can add client',12,'add_client');
INSERT INTO "auth_permission" VALUES(35,'Can change client',12,'change_client');
INSERT INTO "auth_permission" VALUES(36,'Can delete client',12,'delete_client');
INSERT INTO "auth_permission" VALUES(37,'Can add interaction',13,'add_interaction');
INSERT INTO "auth_permission" VALUES(38,'Can change interaction',13,'change_interaction');
INSERT INTO "auth_permission" VALUES(39,'Can delete interaction',13,'delete_interaction');
INSERT INTO "auth_permission" VALUES(40,'Can add performance',14,'add_performance');
INSERT INTO "auth_permission" VALUES(41,'Can change performance',14,'change_performance');
INSERT INTO "auth_permission" VALUES(42,'Can delete performance',14,'delete_performance');
INSERT INTO "auth_permission" VALUES(43,'Can add group',15,'add_group');
INSERT INTO "auth_permission" VALUES(44,'Can change group',15,'change_group');
INSERT INTO "auth_permission" VALUES(45,'Can delete group',15,'delete_group');
INSERT INTO "auth_permission" VALUES(46,'Can add bundle',16,'add_bundle');
INSERT INTO "auth_permission" VALUES(47,'Can change bundle',16,'change_bundle');
INSERT INTO "auth_permission" VALUES(48,'Can delete bundle',16,'delete_bundle');
INSERT INTO "auth_permission" VALUES(49,'Can add file perms',17,'add_fileperms');
INSERT INTO "auth_permission" VALUES(50,'Can change file perms',17,'change_fileperms');
INSERT INTO "auth_permission" VALUES(51,'Can delete file perms',17,'delete_fileperms');
INSERT INTO "auth_permission" VALUES(52,'Can add file acl',18,'add_fileacl');
INSERT INTO "auth_permission" VALUES(53,'Can change file acl',18,'change_fileacl');
INSERT INTO "auth_permission" VALUES(54,'Can delete file acl',18,'delete_fileacl');
INSERT INTO "auth_permission" VALUES(55,'Can add failure entry',19,'add_failureentry');
INSERT INTO "auth_permission" VALUES(56,'Can change failure entry',19,'change_failureentry');
INSERT INTO "auth_permission" VALUES(57,'Can delete failure entry',19,'delete_failureentry');
INSERT INTO "auth_permission" VALUES(58,'Can add action entry',20,'add_actionentry');
INSERT INTO "auth_permission" VALUES(59,'Can change action entry',20,'change_actionentry');
INSERT INTO "auth_permission" VALUES(60,'Can delete action entry',20,'delete_actionentry');
INSERT INTO "auth_permission" VALUES(61,'Can add se boolean entry',21,'add_sebooleanentry');
INSERT INTO "auth_permission" VALUES(62,'Can change se boolean entry',21,'change_sebooleanentry');
INSERT INTO "auth_permission" VALUES(63,'Can delete se boolean entry',21,'delete_sebooleanentry');
INSERT INTO "auth_permission" VALUES(64,'Can add se port entry',22,'add_seportentry');
INSERT INTO "auth_permission" VALUES(65,'Can change se port entry',22,'change_seportentry');
INSERT INTO "auth_permission" VALUES(66,'Can delete se port entry',22,'delete_seportentry');
INSERT INTO "auth_permission" VALUES(67,'Can add se fcontext entry',23,'add_sefcontextentry');
INSERT INTO "auth_permission" VALUES(68,'Can change se fcontext entry',23,'change_sefcontextentry');
INSERT INTO "auth_permission" VALUES(69,'Can delete se fcontext entry',23,'delete_sefcontextentry');
INSERT INTO "auth_permission" VALUES(70,'Can add se node entry',24,'add_senodeentry');
INSERT INTO "auth_permission" VALUES(71,'Can change se node entry',24,'change_senodeentry');
INSERT INTO "auth_permission" VALUES(72,'Can delete se node entry',24,'delete_senodeentry');
INSERT INTO "auth_permission" VALUES(73,'Can add se login entry',25,'add_seloginentry');
INSERT INTO "auth_permission" VALUES(74,'Can change se login entry',25,'change_seloginentry');
INSERT INTO "auth_permission" VALUES(75,'Can delete se login entry',25,'delete_seloginentry');
INSERT INTO "auth_permission" VALUES(76,'Can add se user entry',26,'add_seuserentry');
INSERT INTO "auth_permission" VALUES(77,'Can change se user entry',26,'change_seuserentry');
INSERT INTO "auth_permission" VALUES(78,'Can delete se user entry',26,'delete_seuserentry');
INSERT INTO "auth_permission" VALUES(79,'Can add se interface entry',27,'add_seinterfaceentry');
INSERT INTO "auth_permission" VALUES(80,'Can change se interface entry',27,'change_seinterfaceentry');
INSERT INTO "auth_permission" VALUES(81,'Can delete se interface entry',27,'delete_seinterfaceentry');
INSERT INTO "auth_permission" VALUES(82,'Can add se permissive entry',28,'add_sepermissiveentry');
INSERT INTO "auth_permission" VALUES(83,'Can change se permissive entry',28,'change_sepermissiveentry');
INSERT INTO "auth_permission" VALUES(84,'Can delete se permissive entry',28,'delete_sepermissiveentry');
INSERT INTO "auth_permission" VALUES(85,'Can add se module entry',29,'add_semoduleentry');
INSERT INTO "auth_permission" VALUES(86,'Can change se module entry',29,'change_semoduleentry');
INSERT INTO "auth_permission" VALUES(87,'Can delete se module entry',29,'delete_semoduleentry');
INSERT INTO "auth_permission" VALUES(88,'Can add posix user entry',30,'add_posixuserentry');
INSERT INTO "auth_permission" VALUES(89,'Can change posix user entry',30,'change_posixuserentry');
INSERT INTO "auth_permission" VALUES(90,'Can delete posix user entry',30,'delete_posixuserentry');
INSERT INTO "auth_permission" VALUES(91,'Can add posix group entry',31,'add_posixgroupentry');
INSERT INTO "auth_permission" VALUES(92,'Can change posix group entry',31,'change_posixgroupentry');
INSERT INTO "auth_permission" VALUES(93,'Can delete posix group entry',31,'delete_posixgroupentry');
INSERT INTO "auth_permission" VALUES(94,'Can add package entry',32,'add_packageentry');
INSERT INTO "auth_permission" VALUES(95,'Can change package entry',32,'change_packageentry');
INSERT INTO "auth_permission" VALUES(96,'Can delete package entry',32,'delete_packageentry');
INSERT INTO "auth_permission" VALUES(97,'Can add path entry',33,'add_pathentry');
INSERT INTO "auth_permission" VALUES(98,'Can change path entry',33,'change_pathentry');
INSERT INTO "auth_permission" VALUES(99,'Can delete path entry',33,'delete_pathentry');
INSERT INTO "auth_permission" VALUES(100,'Can add link entry',34,'add_linkentry');
INSERT INTO "auth_permission" VALUES(101,'Can change link entry',34,'change_linkentry');
INSERT INTO "auth_permission" VALUES(102,'Can delete link entry',34,'delete_linkentry');
INSERT INTO "auth_permission" VALUES(103,'Can add device entry',35,'add_deviceentry');
INSERT INTO "auth_permission" VALUES(104,'Can change device entry',35,'change_deviceentry');
INSERT INTO "auth_permission" VALUES(105,'Can delete device entry',35,'delete_deviceentry');
INSERT INTO "auth_permission" VALUES(106,'Can add service entry',36,'add_serviceentry');
INSERT INTO "auth_permission" VALUES(107,'Can change service entry',36,'change_serviceentry');
INSERT INTO "auth_permission" VALUES(108,'Can delete service entry',36,'delete_serviceentry');
CREATE TABLE "auth_user" (
    "id" integer NOT NULL PRIMARY KEY,
    "password" varchar(128) NOT NULL,
    "last_login" datetime NOT NULL,
    "is_superuser" bool NOT NULL,
    "username" varchar(30) NOT NULL UNIQUE,
    "first_name" varchar(30) NOT NULL,
    "last_name" varchar(30) NOT NULL,
    "email" varchar(75) NOT NULL,
    "is_staff" bool NOT NULL,
    "is_active" bool NOT NULL,
    "date_joined" datetime NOT NULL
);
CREATE TABLE "auth_user_groups" (
    "id" integer NOT NULL PRIMARY KEY,
    "user_id" integer NOT NULL,
    "group_id" integer NOT NULL REFERENCES "auth_group" ("id"),
    UNIQUE ("user_id", "group_id")
);
CREATE TABLE "auth_user_user_permissions" (
    "id" integer NOT NULL PRIMARY KEY,
    "user_id" integer NOT NULL,
    "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id"),
    UNIQUE ("user_id", "permission_id")
);
CREATE TABLE "django_admin_log" (
    "id" integer NOT NULL PRIMARY KEY,
    "action_time" datetime NOT NULL,
    "user_id" integer NOT NULL REFERENCES "auth_user" ("id"),
    "content_type_id" integer REFERENCES "django_content_type" ("id"),
    "object_id" text,
    "object_repr" varchar(200) NOT NULL,
    "action_flag" smallint unsigned NOT NULL,
    "change_message" text NOT NULL
);
CREATE TABLE "django_content_type" (
    "id" integer NOT NULL PRIMARY KEY,
    "name" varchar(100) NOT NULL,
    "app_label" varchar(100) NOT NULL,
    "model" varchar(100) NOT NULL,
    UNIQUE ("app_label", "model")
);
INSERT INTO "django_content_type" VALUES(1,'permission','auth','permission');
INSERT INTO "django_content_type" VALUES(2,'group','auth','group');
INSERT INTO "django_content_type" VALUES(3,'user','auth','user');
INSERT INTO "django_content_type" VALUES(4,'content type','contenttypes','contenttype');
INSERT INTO "django_content_type" VALUES(5,'session','sessions','session');
INSERT INTO "django_content_type" VALUES(6,'site','sites','site');
INSERT INTO "django_content_type" VALUES(7,'log entry','admin','logentry');
INSERT INTO "django_content_type" VALUES(8,'metadata client model','Server','metadataclientmodel');
INSERT INTO "django_content_type" VALUES(9,'probes data model','Server','probesdatamodel');
INSERT INTO "django_content_type" VALUES(10,'probes groups model','Server','probesgroupsmodel');
INSERT INTO "django_content_type" VALUES(11,'migration history','south','migrationhistory');
INSERT INTO "django_content_type" VALUES(12,'client','Reporting','client');
INSERT INTO "django_content_type" VALUES(13,'interaction','Reporting','interaction');
INSERT INTO "django_content_type" VALUES(14,'performance','Reporting','performance');
INSERT INTO "django_content_type" VALUES(15,'group','Reporting','group');
INSERT INTO "django_content_type" VALUES(16,'bundle','Reporting','bundle');
INSERT INTO "django_content_type" VALUES(17,'file perms','Reporting','fileperms');
INSERT INTO "django_content_type" VALUES(18,'file acl','Reporting','fileacl');
INSERT INTO "django_content_type" VALUES(19,'failure entry','Reporting','failureentry');
INSERT INTO "django_content_type" VALUES(20,'action entry','Reporting','actionentry');
INSERT INTO "django_content_type" VALUES(21,'se boolean entry','Reporting','sebooleanentry');
INSERT INTO "django_content_type" VALUES(22,'se port entry','Reporting','seportentry');
INSERT INTO "django_content_type" VALUES(23,'se fcontext entry','Reporting','sefcontextentry');
INSERT INTO "django_content_type" VALUES(24,'se node entry','Reporting','senodeentry');
INSERT INTO "django_content_type" VALUES(25,'se login entry','Reporting','seloginentry');
INSERT INTO "django_content_type" VALUES(26,'se user entry','Reporting','seuserentry');
INSERT INTO "django_content_type" VALUES(27,'se interface entry','Reporting','seinterfaceentry');
INSERT INTO "django_content_type" VALUES(28,'se permissive entry','Reporting','sepermissiveentry');
INSERT INTO "django_content_type" VALUES(29,'se module entry','Reporting','semoduleentry');
INSERT INTO "django_content_type" VALUES(30,'posix user entry','Reporting','posixuserentry');
INSERT INTO "django_content_type" VALUES(31,'posix group entry','Reporting','posixgroupentry');
INSERT INTO "django_content_type" VALUES(32,'package entry','Reporting','packageentry');
INSERT INTO "django_content_type" VALUES(33,'path entry','Reporting','pathentry');
INSERT INTO "django_content_type" VALUES(34,'link entry','Reporting','linkentry');
INSERT INTO "django_content_type" VALUES(35,'device entry','Reporting','deviceentry');
INSERT INTO "django_content_type" VALUES(36,'service entry','Reporting','serviceentry');
CREATE TABLE "django_session" (
    "session_key" varchar(40) NOT NULL PRIMARY KEY,
    "session_data" text NOT NULL,
    "expire_date" datetime NOT NULL
);
CREATE TABLE "django_site" (
    "id" integer NOT NULL PRIMARY KEY,
    "domain" varchar(100) NOT NULL,
    "name" varchar(50) NOT NULL
);
INSERT INTO "django_site" VALUES(1,'example.com','example.com');
CREATE TABLE "south_migrationhistory" (
    "id" integer NOT NULL PRIMARY KEY,
    "app_name" varchar(255) NOT NULL,
    "migration" varchar(255) NOT NULL,
    "applied" datetime NOT NULL
);
INSERT INTO "south_migrationhistory" VALUES(1,'Reporting','0001_initial','2026-11-22 12:33:16.566896');
INSERT INTO "south_migrationhistory" VALUES(2,'Reporting','0002_convert_perms_to_mode','2026-11-22 12:33:16.887113');
INSERT INTO "south_migrationhistory" VALUES(3,'Reporting','0003_expand_hash_key','2026-11-22 12:33:17.844089');
INSERT INTO "south_migrationhistory" VALUES(4,'Reporting','0004_profile_can_be_null','2026-11-22 12:33:18.151459');
INSERT INTO "south_migrationhistory" VALUES(5,'Reporting','0005_add_selinux_entry_support','2026-11-22 12:33:19.830540');
INSERT INTO "south_migrationhistory" VALUES(6,'Reporting','0006_add_user_group_entry_support','2026-11-22 12:33:20.491140');
CREATE INDEX "auth_permission_37ef4eb4" ON "auth_permission" ("content_type_id");
CREATE INDEX "auth_group_permissions_5f412f9a" ON "auth_group_permissions" ("group_id");
CREATE INDEX "auth_group_permissions_83d7f98b" ON "auth_group_permissions" ("permission_id");
CREATE INDEX "auth_user_groups_6340c63c" ON "auth_user_groups" ("user_id");
CREATE INDEX "auth_user_groups_5f412f9a" ON "auth_user_groups" ("group_id");
CREATE INDEX "auth_user_user_permissions_6340c63c" ON "auth_user_user_permissions" ("user_id");
CREATE INDEX "auth_user_user_permissions_83d7f98b" ON "auth_user_user_permissions" ("permission_id");
CREATE INDEX "django_session_b7b81f0c" ON "django_session" ("expire_date");
CREATE INDEX "django_admin_log_6340c63c" ON "django_admin_log" ("user_id");
CREATE INDEX "django_admin_log_37ef4eb4" ON "django_admin_log" ("content_type_id");
CREATE UNIQUE INDEX "Reporting_interaction_actions_interaction_id__actionentry_id" ON "Reporting_interaction_actions"("interaction_id", "actionentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_packages_interaction_id__packageentry_id" ON "Reporting_interaction_packages"("interaction_id", "packageentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_paths_interaction_id__pathentry_id" ON "Reporting_interaction_paths"("interaction_id", "pathentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_services_interaction_id__serviceentry_id" ON "Reporting_interaction_services"("interaction_id", "serviceentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_failures_interaction_id__failureentry_id" ON "Reporting_interaction_failures"("interaction_id", "failureentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_groups_interaction_id__group_id" ON "Reporting_interaction_groups"("interaction_id", "group_id");
CREATE UNIQUE INDEX "Reporting_interaction_bundles_interaction_id__bundle_id" ON "Reporting_interaction_bundles"("interaction_id", "bundle_id");
CREATE UNIQUE INDEX "Reporting_group_groups_from_group_id__to_group_id" ON "Reporting_group_groups"("from_group_id", "to_group_id");
CREATE UNIQUE INDEX "Reporting_group_bundles_group_id__bundle_id" ON "Reporting_group_bundles"("group_id", "bundle_id");
CREATE UNIQUE INDEX "Reporting_pathentry_acls_pathentry_id__fileacl_id" ON "Reporting_pathentry_acls"("pathentry_id", "fileacl_id");
CREATE INDEX "Reporting_client_89805224" ON "Reporting_client" ("current_interaction_id");
CREATE INDEX "Reporting_interaction_actions_5edc4a3e" ON "Reporting_interaction_actions" ("interaction_id");
CREATE INDEX "Reporting_interaction_actions_b436615b" ON "Reporting_interaction_actions" ("actionentry_id");
CREATE INDEX "Reporting_interaction_packages_5edc4a3e" ON "Reporting_interaction_packages" ("interaction_id");
CREATE INDEX "Reporting_interaction_packages_9ca20891" ON "Reporting_interaction_packages" ("packageentry_id");
CREATE INDEX "Reporting_interaction_paths_5edc4a3e" ON "Reporting_interaction_paths" ("interaction_id");
CREATE INDEX "Reporting_interaction_paths_1fb39e0b" ON "Reporting_interaction_paths" ("pathentry_id");
CREATE INDEX "Reporting_interaction_services_5edc4a3e" ON "Reporting_interaction_services" ("interaction_id");
CREATE INDEX "Reporting_interaction_services_e0c66b48" ON "Reporting_interaction_services" ("serviceentry_id");
CREATE INDEX "Reporting_interaction_failures_5edc4a3e" ON "Reporting_interaction_failures" ("interaction_id");
CREATE INDEX "Reporting_interaction_failures_aa9d01ab" ON "Reporting_interaction_failures" ("failureentry_id");
CREATE INDEX "Reporting_interaction_groups_5edc4a3e" ON "Reporting_interaction_groups" ("interaction_id");
CREATE INDEX "Reporting_interaction_groups_5f412f9a" ON "Reporting_interaction_groups" ("group_id");
CREATE INDEX "Reporting_interaction_bundles_5edc4a3e" ON "Reporting_interaction_bundles" ("interaction_id");
CREATE INDEX "Reporting_interaction_bundles_2243b87b" ON "Reporting_interaction_bundles" ("bundle_id");
CREATE INDEX "Reporting_performance_5edc4a3e" ON "Reporting_performance" ("interaction_id");
CREATE INDEX "Reporting_group_groups_137b8ef0" ON "Reporting_group_groups" ("from_group_id");
CREATE INDEX "Reporting_group_groups_c44fadc2" ON "Reporting_group_groups" ("to_group_id");
CREATE INDEX "Reporting_group_bundles_5f412f9a" ON "Reporting_group_bundles" ("group_id");
CREATE INDEX "Reporting_group_bundles_2243b87b" ON "Reporting_group_bundles" ("bundle_id");
CREATE INDEX "Reporting_fileacl_4da47e07" ON "Reporting_fileacl" ("name");
CREATE INDEX "Reporting_pathentry_acls_1fb39e0b" ON "Reporting_pathentry_acls" ("pathentry_id");
CREATE INDEX "Reporting_pathentry_acls_7218ea3e" ON "Reporting_pathentry_acls" ("fileacl_id");
CREATE INDEX "Reporting_failureentry_2549c8fe" ON "Reporting_failureentry"("hash_key");
CREATE INDEX "Reporting_failureentry_4da47e07" ON "Reporting_failureentry"("name");
CREATE INDEX "Reporting_packageentry_2549c8fe" ON "Reporting_packageentry"("hash_key");
CREATE INDEX "Reporting_packageentry_4da47e07" ON "Reporting_packageentry"("name");
CREATE INDEX "Reporting_serviceentry_2549c8fe" ON "Reporting_serviceentry"("hash_key");
CREATE INDEX "Reporting_serviceentry_4da47e07" ON "Reporting_serviceentry"("name");
CREATE INDEX "Reporting_pathentry_a9e40d15" ON "Reporting_pathentry"("current_perms_id");
CREATE INDEX "Reporting_pathentry_6b99dc7c" ON "Reporting_pathentry"("target_perms_id");
CREATE INDEX "Reporting_pathentry_2549c8fe" ON "Reporting_pathentry"("hash_key");
CREATE INDEX "Reporting_pathentry_4da47e07" ON "Reporting_pathentry"("name");
CREATE INDEX "Reporting_actionentry_2549c8fe" ON "Reporting_actionentry"("hash_key");
CREATE INDEX "Reporting_actionentry_4da47e07" ON "Reporting_actionentry"("name");
CREATE INDEX "Reporting_interaction_5948a8a3" ON "Reporting_interaction"("profile_id");
CREATE INDEX "Reporting_interaction_d80b9c9a" ON "Reporting_interaction"("timestamp");
CREATE INDEX "Reporting_interaction_4fea5d6a" ON "Reporting_interaction"("client_id");
CREATE UNIQUE INDEX "Reporting_interaction_client_id__timestamp" ON "Reporting_interaction"("client_id", "timestamp");
CREATE UNIQUE INDEX "Reporting_interaction_sebooleans_interaction_id__sebooleanentry_id" ON "Reporting_interaction_sebooleans"("interaction_id", "sebooleanentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_seports_interaction_id__seportentry_id" ON "Reporting_interaction_seports"("interaction_id", "seportentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_sefcontexts_interaction_id__sefcontextentry_id" ON "Reporting_interaction_sefcontexts"("interaction_id", "sefcontextentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_senodes_interaction_id__senodeentry_id" ON "Reporting_interaction_senodes"("interaction_id", "senodeentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_selogins_interaction_id__seloginentry_id" ON "Reporting_interaction_selogins"("interaction_id", "seloginentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_seusers_interaction_id__seuserentry_id" ON "Reporting_interaction_seusers"("interaction_id", "seuserentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_seinterfaces_interaction_id__seinterfaceentry_id" ON "Reporting_interaction_seinterfaces"("interaction_id", "seinterfaceentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_sepermissives_interaction_id__sepermissiveentry_id" ON "Reporting_interaction_sepermissives"("interaction_id", "sepermissiveentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_semodules_interaction_id__semoduleentry_id" ON "Reporting_interaction_semodules"("interaction_id", "semoduleentry_id");
CREATE INDEX "Reporting_seloginentry_4da47e07" ON "Reporting_seloginentry" ("name");
CREATE INDEX "Reporting_seloginentry_2549c8fe" ON "Reporting_seloginentry" ("hash_key");
CREATE INDEX "Reporting_seuserentry_4da47e07" ON "Reporting_seuserentry" ("name");
CREATE INDEX "Reporting_seuserentry_2549c8fe" ON "Reporting_seuserentry" ("hash_key");
CREATE INDEX "Reporting_sebooleanentry_4da47e07" ON "Reporting_sebooleanentry" ("name");
CREATE INDEX "Reporting_sebooleanentry_2549c8fe" ON "Reporting_sebooleanentry" ("hash_key");
CREATE INDEX "Reporting_senodeentry_4da47e07" ON "Reporting_senodeentry" ("name");
CREATE INDEX "Reporting_senodeentry_2549c8fe" ON "Reporting_senodeentry" ("hash_key");
CREATE INDEX "Reporting_sefcontextentry_4da47e07" ON "Reporting_sefcontextentry" ("name");
CREATE INDEX "Reporting_sefcontextentry_2549c8fe" ON "Reporting_sefcontextentry" ("hash_key");
CREATE INDEX "Reporting_seinterfaceentry_4da47e07" ON "Reporting_seinterfaceentry" ("name");
CREATE INDEX "Reporting_seinterfaceentry_2549c8fe" ON "Reporting_seinterfaceentry" ("hash_key");
CREATE INDEX "Reporting_sepermissiveentry_4da47e07" ON "Reporting_sepermissiveentry" ("name");
CREATE INDEX "Reporting_sepermissiveentry_2549c8fe" ON "Reporting_sepermissiveentry" ("hash_key");
CREATE INDEX "Reporting_semoduleentry_4da47e07" ON "Reporting_semoduleentry" ("name");
CREATE INDEX "Reporting_semoduleentry_2549c8fe" ON "Reporting_semoduleentry" ("hash_key");
CREATE INDEX "Reporting_seportentry_4da47e07" ON "Reporting_seportentry" ("name");
CREATE INDEX "Reporting_seportentry_2549c8fe" ON "Reporting_seportentry" ("hash_key");
CREATE INDEX "Reporting_interaction_sebooleans_5edc4a3e" ON "Reporting_interaction_sebooleans" ("interaction_id");
CREATE INDEX "Reporting_interaction_sebooleans_6b984fcc" ON "Reporting_interaction_sebooleans" ("sebooleanentry_id");
CREATE INDEX "Reporting_interaction_seports_5edc4a3e" ON "Reporting_interaction_seports" ("interaction_id");
CREATE INDEX "Reporting_interaction_seports_7c0898f8" ON "Reporting_interaction_seports" ("seportentry_id");
CREATE INDEX "Reporting_interaction_sefcontexts_5edc4a3e" ON "Reporting_interaction_sefcontexts" ("interaction_id");
CREATE INDEX "Reporting_interaction_sefcontexts_188b8f3a" ON "Reporting_interaction_sefcontexts" ("sefcontextentry_id");
CREATE INDEX "Reporting_interaction_senodes_5edc4a3e" ON "Reporting_interaction_senodes" ("interaction_id");
CREATE INDEX "Reporting_interaction_senodes_3330311b" ON "Reporting_interaction_senodes" ("senodeentry_id");
CREATE INDEX "Reporting_interaction_selogins_5edc4a3e" ON "Reporting_interaction_selogins" ("interaction_id");
CREATE INDEX "Reporting_interaction_selogins_4b60dc89" ON "Reporting_interaction_selogins" ("seloginentry_id");
CREATE INDEX "Reporting_interaction_seusers_5edc4a3e" ON "Reporting_interaction_seusers" ("interaction_id");
CREATE INDEX "Reporting_interaction_seusers_49cb5e4a" ON "Reporting_interaction_seusers" ("seuserentry_id");
CREATE INDEX "Reporting_interaction_seinterfaces_5edc4a3e" ON "Reporting_interaction_seinterfaces" ("interaction_id");
CREATE INDEX "Reporting_interaction_seinterfaces_1ff60b9d" ON "Reporting_interaction_seinterfaces" ("seinterfaceentry_id");
CREATE INDEX "Reporting_interaction_sepermissives_5edc4a3e" ON "Reporting_interaction_sepermissives" ("interaction_id");
CREATE INDEX "Reporting_interaction_sepermissives_57005cc4" ON "Reporting_interaction_sepermissives" ("sepermissiveentry_id");
CREATE INDEX "Reporting_interaction_semodules_5edc4a3e" ON "Reporting_interaction_semodules" ("interaction_id");
CREATE INDEX "Reporting_interaction_semodules_a011c601" ON "Reporting_interaction_semodules" ("semoduleentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_posixusers_interaction_id__posixuserentry_id" ON "Reporting_interaction_posixusers"("interaction_id", "posixuserentry_id");
CREATE UNIQUE INDEX "Reporting_interaction_posixgroups_interaction_id__posixgroupentry_id" ON "Reporting_interaction_posixgroups"("interaction_id", "posixgroupentry_id");
CREATE INDEX "Reporting_posixgroupentry_4da47e07" ON "Reporting_posixgroupentry" ("name");
CREATE INDEX "Reporting_posixgroupentry_2549c8fe" ON "Reporting_posixgroupentry" ("hash_key");
CREATE INDEX "Reporting_posixuserentry_4da47e07" ON "Reporting_posixuserentry" ("name");
CREATE INDEX "Reporting_posixuserentry_2549c8fe" ON "Reporting_posixuserentry" ("hash_key");
CREATE INDEX "Reporting_interaction_posixusers_5edc4a3e" ON "Reporting_interaction_posixusers" ("interaction_id");
CREATE INDEX "Reporting_interaction_posixusers_cd71cfdd" ON "Reporting_interaction_posixusers" ("posixuserentry_id");
CREATE INDEX "Reporting_interaction_posixgroups_5edc4a3e" ON "Reporting_interaction_posixgroups" ("interaction_id");
CREATE INDEX "Reporting_interaction_posixgroups_537398f4" ON "Reporting_interaction_posixgroups" ("posixgroupentry_id");
COMMIT;
