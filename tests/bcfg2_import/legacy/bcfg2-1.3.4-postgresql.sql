CREATE TABLE public."Reporting_actionentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    status character varying(128) NOT NULL,
    output integer NOT NULL
);
CREATE SEQUENCE public."Reporting_actionentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_actionentry_id_seq" OWNED BY public."Reporting_actionentry".id;
CREATE TABLE public."Reporting_bundle" (
    id integer NOT NULL,
    name character varying(255) NOT NULL
);
CREATE SEQUENCE public."Reporting_bundle_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_bundle_id_seq" OWNED BY public."Reporting_bundle".id;
CREATE TABLE public."Reporting_client" (
    id integer NOT NULL,
    creation timestamp with time zone NOT NULL,
    name character varying(128) NOT NULL,
    current_interaction_id integer,
    expiration timestamp with time zone
);
CREATE SEQUENCE public."Reporting_client_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_client_id_seq" OWNED BY public."Reporting_client".id;
CREATE TABLE public."Reporting_deviceentry" (
    pathentry_ptr_id integer NOT NULL,
    device_type character varying(16) NOT NULL,
    target_major integer NOT NULL,
    target_minor integer NOT NULL,
    current_major integer NOT NULL,
    current_minor integer NOT NULL
);
CREATE TABLE public."Reporting_failureentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    entry_type character varying(128) NOT NULL,
    message text NOT NULL
);
CREATE SEQUENCE public."Reporting_failureentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_failureentry_id_seq" OWNED BY public."Reporting_failureentry".id;
CREATE TABLE public."Reporting_fileacl" (
    id integer NOT NULL,
    name character varying(128) NOT NULL
);
CREATE SEQUENCE public."Reporting_fileacl_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_fileacl_id_seq" OWNED BY public."Reporting_fileacl".id;
CREATE TABLE public."Reporting_fileperms" (
    id integer NOT NULL,
    owner character varying(128) NOT NULL,
    "group" character varying(128) NOT NULL,
    mode character varying(128) NOT NULL
);
CREATE SEQUENCE public."Reporting_fileperms_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_fileperms_id_seq" OWNED BY public."Reporting_fileperms".id;
CREATE TABLE public."Reporting_group" (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    profile boolean NOT NULL,
    public boolean NOT NULL,
    category character varying(1024) NOT NULL,
    comment text NOT NULL
);
CREATE TABLE public."Reporting_group_bundles" (
    id integer NOT NULL,
    group_id integer NOT NULL,
    bundle_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_group_bundles_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_group_bundles_id_seq" OWNED BY public."Reporting_group_bundles".id;
CREATE TABLE public."Reporting_group_groups" (
    id integer NOT NULL,
    from_group_id integer NOT NULL,
    to_group_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_group_groups_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_group_groups_id_seq" OWNED BY public."Reporting_group_groups".id;
CREATE SEQUENCE public."Reporting_group_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_group_id_seq" OWNED BY public."Reporting_group".id;
CREATE TABLE public."Reporting_interaction" (
    id integer NOT NULL,
    client_id integer NOT NULL,
    "timestamp" timestamp with time zone NOT NULL,
    state character varying(32) NOT NULL,
    repo_rev_code character varying(64) NOT NULL,
    server character varying(256) NOT NULL,
    good_count integer NOT NULL,
    total_count integer NOT NULL,
    bad_count integer NOT NULL,
    modified_count integer NOT NULL,
    extra_count integer NOT NULL,
    profile_id integer
);
CREATE TABLE public."Reporting_interaction_actions" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    actionentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_actions_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_actions_id_seq" OWNED BY public."Reporting_interaction_actions".id;
CREATE TABLE public."Reporting_interaction_bundles" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    bundle_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_bundles_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_bundles_id_seq" OWNED BY public."Reporting_interaction_bundles".id;
CREATE TABLE public."Reporting_interaction_failures" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    failureentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_failures_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_failures_id_seq" OWNED BY public."Reporting_interaction_failures".id;
CREATE TABLE public."Reporting_interaction_groups" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    group_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_groups_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_groups_id_seq" OWNED BY public."Reporting_interaction_groups".id;
CREATE SEQUENCE public."Reporting_interaction_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_id_seq" OWNED BY public."Reporting_interaction".id;
CREATE TABLE public."Reporting_interaction_packages" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    packageentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_packages_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_packages_id_seq" OWNED BY public."Reporting_interaction_packages".id;
CREATE TABLE public."Reporting_interaction_paths" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    pathentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_paths_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_paths_id_seq" OWNED BY public."Reporting_interaction_paths".id;
CREATE TABLE public."Reporting_interaction_posixgroups" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    posixgroupentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_posixgroups_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_posixgroups_id_seq" OWNED BY public."Reporting_interaction_posixgroups".id;
CREATE TABLE public."Reporting_interaction_posixusers" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    posixuserentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_posixusers_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_posixusers_id_seq" OWNED BY public."Reporting_interaction_posixusers".id;
CREATE TABLE public."Reporting_interaction_sebooleans" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    sebooleanentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_sebooleans_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_sebooleans_id_seq" OWNED BY public."Reporting_interaction_sebooleans".id;
CREATE TABLE public."Reporting_interaction_sefcontexts" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    sefcontextentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_sefcontexts_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_sefcontexts_id_seq" OWNED BY public."Reporting_interaction_sefcontexts".id;
CREATE TABLE public."Reporting_interaction_seinterfaces" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    seinterfaceentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_seinterfaces_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_seinterfaces_id_seq" OWNED BY public."Reporting_interaction_seinterfaces".id;
CREATE TABLE public."Reporting_interaction_selogins" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    seloginentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_selogins_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_selogins_id_seq" OWNED BY public."Reporting_interaction_selogins".id;
CREATE TABLE public."Reporting_interaction_semodules" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    semoduleentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_semodules_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_semodules_id_seq" OWNED BY public."Reporting_interaction_semodules".id;
CREATE TABLE public."Reporting_interaction_senodes" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    senodeentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_senodes_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_senodes_id_seq" OWNED BY public."Reporting_interaction_senodes".id;
CREATE TABLE public."Reporting_interaction_sepermissives" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    sepermissiveentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_sepermissives_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_sepermissives_id_seq" OWNED BY public."Reporting_interaction_sepermissives".id;
CREATE TABLE public."Reporting_interaction_seports" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    seportentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_seports_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_seports_id_seq" OWNED BY public."Reporting_interaction_seports".id;
CREATE TABLE public."Reporting_interaction_services" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    serviceentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_services_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_services_id_seq" OWNED BY public."Reporting_interaction_services".id;
CREATE TABLE public."Reporting_interaction_seusers" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    seuserentry_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_interaction_seusers_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_interaction_seusers_id_seq" OWNED BY public."Reporting_interaction_seusers".id;
CREATE TABLE public."Reporting_linkentry" (
    pathentry_ptr_id integer NOT NULL,
    target_path character varying(1024) NOT NULL,
    current_path character varying(1024) NOT NULL
);
CREATE TABLE public."Reporting_packageentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    target_version character varying(1024) NOT NULL,
    current_version character varying(1024) NOT NULL,
    verification_details text NOT NULL
);
CREATE SEQUENCE public."Reporting_packageentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_packageentry_id_seq" OWNED BY public."Reporting_packageentry".id;
CREATE TABLE public."Reporting_pathentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    path_type character varying(128) NOT NULL,
    target_perms_id integer NOT NULL,
    current_perms_id integer NOT NULL,
    detail_type integer NOT NULL,
    details text NOT NULL
);
CREATE TABLE public."Reporting_pathentry_acls" (
    id integer NOT NULL,
    pathentry_id integer NOT NULL,
    fileacl_id integer NOT NULL
);
CREATE SEQUENCE public."Reporting_pathentry_acls_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_pathentry_acls_id_seq" OWNED BY public."Reporting_pathentry_acls".id;
CREATE SEQUENCE public."Reporting_pathentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_pathentry_id_seq" OWNED BY public."Reporting_pathentry".id;
CREATE TABLE public."Reporting_performance" (
    id integer NOT NULL,
    interaction_id integer NOT NULL,
    metric character varying(128) NOT NULL,
    value numeric(32,16) NOT NULL
);
CREATE SEQUENCE public."Reporting_performance_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_performance_id_seq" OWNED BY public."Reporting_performance".id;
CREATE TABLE public."Reporting_posixgroupentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    gid integer,
    current_gid integer
);
CREATE SEQUENCE public."Reporting_posixgroupentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_posixgroupentry_id_seq" OWNED BY public."Reporting_posixgroupentry".id;
CREATE TABLE public."Reporting_posixuserentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    uid integer,
    current_uid integer,
    "group" character varying(64) NOT NULL,
    current_group character varying(64),
    gecos character varying(1024) NOT NULL,
    current_gecos character varying(1024),
    home character varying(1024) NOT NULL,
    current_home character varying(1024),
    shell character varying(1024) NOT NULL,
    current_shell character varying(1024)
);
CREATE SEQUENCE public."Reporting_posixuserentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_posixuserentry_id_seq" OWNED BY public."Reporting_posixuserentry".id;
CREATE TABLE public."Reporting_sebooleanentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    value boolean NOT NULL
);
CREATE SEQUENCE public."Reporting_sebooleanentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_sebooleanentry_id_seq" OWNED BY public."Reporting_sebooleanentry".id;
CREATE TABLE public."Reporting_sefcontextentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    selinuxtype character varying(128) NOT NULL,
    current_selinuxtype character varying(128),
    filetype character varying(16) NOT NULL
);
CREATE SEQUENCE public."Reporting_sefcontextentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_sefcontextentry_id_seq" OWNED BY public."Reporting_sefcontextentry".id;
CREATE TABLE public."Reporting_seinterfaceentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    selinuxtype character varying(128) NOT NULL,
    current_selinuxtype character varying(128)
);
CREATE SEQUENCE public."Reporting_seinterfaceentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_seinterfaceentry_id_seq" OWNED BY public."Reporting_seinterfaceentry".id;
CREATE TABLE public."Reporting_seloginentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    selinuxuser character varying(128) NOT NULL,
    current_selinuxuser character varying(128)
);
CREATE SEQUENCE public."Reporting_seloginentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_seloginentry_id_seq" OWNED BY public."Reporting_seloginentry".id;
CREATE TABLE public."Reporting_semoduleentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    disabled boolean NOT NULL,
    current_disabled boolean NOT NULL
);
CREATE SEQUENCE public."Reporting_semoduleentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_semoduleentry_id_seq" OWNED BY public."Reporting_semoduleentry".id;
CREATE TABLE public."Reporting_senodeentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    selinuxtype character varying(128) NOT NULL,
    current_selinuxtype character varying(128),
    proto character varying(4) NOT NULL
);
CREATE SEQUENCE public."Reporting_senodeentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_senodeentry_id_seq" OWNED BY public."Reporting_senodeentry".id;
CREATE TABLE public."Reporting_sepermissiveentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL
);
CREATE SEQUENCE public."Reporting_sepermissiveentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_sepermissiveentry_id_seq" OWNED BY public."Reporting_sepermissiveentry".id;
CREATE TABLE public."Reporting_seportentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    selinuxtype character varying(128) NOT NULL,
    current_selinuxtype character varying(128)
);
CREATE SEQUENCE public."Reporting_seportentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_seportentry_id_seq" OWNED BY public."Reporting_seportentry".id;
CREATE TABLE public."Reporting_serviceentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    target_status character varying(128) NOT NULL,
    current_status character varying(128) NOT NULL
);
CREATE SEQUENCE public."Reporting_serviceentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_serviceentry_id_seq" OWNED BY public."Reporting_serviceentry".id;
CREATE TABLE public."Reporting_seuserentry" (
    id integer NOT NULL,
    name character varying(128) NOT NULL,
    hash_key bigint NOT NULL,
    state integer NOT NULL,
    "exists" boolean NOT NULL,
    roles character varying(128) NOT NULL,
    current_roles character varying(128),
    prefix character varying(128) NOT NULL,
    current_prefix character varying(128)
);
CREATE SEQUENCE public."Reporting_seuserentry_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Reporting_seuserentry_id_seq" OWNED BY public."Reporting_seuserentry".id;
CREATE TABLE public."Server_metadataclientmodel" (
    hostname character varying(255) NOT NULL,
    version character varying(31)
);
CREATE TABLE public."Server_probesdatamodel" (
    id integer NOT NULL,
    hostname character varying(255) NOT NULL,
    probe character varying(255) NOT NULL,
    "timestamp" timestamp with time zone NOT NULL,
    data text
);
CREATE SEQUENCE public."Server_probesdatamodel_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Server_probesdatamodel_id_seq" OWNED BY public."Server_probesdatamodel".id;
CREATE TABLE public."Server_probesgroupsmodel" (
    id integer NOT NULL,
    hostname character varying(255) NOT NULL,
    "group" character varying(255) NOT NULL
);
CREATE SEQUENCE public."Server_probesgroupsmodel_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Server_probesgroupsmodel_id_seq" OWNED BY public."Server_probesgroupsmodel".id;
CREATE TABLE public.auth_group (
    id integer NOT NULL,
    name character varying(80) NOT NULL
);
CREATE SEQUENCE public.auth_group_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auth_group_id_seq OWNED BY public.auth_group.id;
CREATE TABLE public.auth_group_permissions (
    id integer NOT NULL,
    group_id integer NOT NULL,
    permission_id integer NOT NULL
);
CREATE SEQUENCE public.auth_group_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auth_group_permissions_id_seq OWNED BY public.auth_group_permissions.id;
CREATE TABLE public.auth_permission (
    id integer NOT NULL,
    name character varying(50) NOT NULL,
    content_type_id integer NOT NULL,
    codename character varying(100) NOT NULL
);
CREATE SEQUENCE public.auth_permission_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auth_permission_id_seq OWNED BY public.auth_permission.id;
CREATE TABLE public.auth_user (
    id integer NOT NULL,
    password character varying(128) NOT NULL,
    last_login timestamp with time zone NOT NULL,
    is_superuser boolean NOT NULL,
    username character varying(30) NOT NULL,
    first_name character varying(30) NOT NULL,
    last_name character varying(30) NOT NULL,
    email character varying(75) NOT NULL,
    is_staff boolean NOT NULL,
    is_active boolean NOT NULL,
    date_joined timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_user_groups (
    id integer NOT NULL,
    user_id integer NOT NULL,
    group_id integer NOT NULL
);
CREATE SEQUENCE public.auth_user_groups_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auth_user_groups_id_seq OWNED BY public.auth_user_groups.id;
CREATE SEQUENCE public.auth_user_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auth_user_id_seq OWNED BY public.auth_user.id;
CREATE TABLE public.auth_user_user_permissions (
    id integer NOT NULL,
    user_id integer NOT NULL,
    permission_id integer NOT NULL
);
CREATE SEQUENCE public.auth_user_user_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auth_user_user_permissions_id_seq OWNED BY public.auth_user_user_permissions.id;
CREATE TABLE public.django_admin_log (
    id integer NOT NULL,
    action_time timestamp with time zone NOT NULL,
    user_id integer NOT NULL,
    content_type_id integer,
    object_id text,
    object_repr character varying(200) NOT NULL,
    action_flag smallint NOT NULL,
    change_message text NOT NULL,
    CONSTRAINT django_admin_log_action_flag_check CHECK ((action_flag >= 0))
);
CREATE SEQUENCE public.django_admin_log_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.django_admin_log_id_seq OWNED BY public.django_admin_log.id;
CREATE TABLE public.django_content_type (
    id integer NOT NULL,
    name character varying(100) NOT NULL,
    app_label character varying(100) NOT NULL,
    model character varying(100) NOT NULL
);
CREATE SEQUENCE public.django_content_type_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.django_content_type_id_seq OWNED BY public.django_content_type.id;
CREATE TABLE public.django_session (
    session_key character varying(40) NOT NULL,
    session_data text NOT NULL,
    expire_date timestamp with time zone NOT NULL
);
CREATE TABLE public.django_site (
    id integer NOT NULL,
    domain character varying(100) NOT NULL,
    name character varying(50) NOT NULL
);
CREATE SEQUENCE public.django_site_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.django_site_id_seq OWNED BY public.django_site.id;
CREATE TABLE public.south_migrationhistory (
    id integer NOT NULL,
    app_name character varying(255) NOT NULL,
    migration character varying(255) NOT NULL,
    applied timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.south_migrationhistory_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.south_migrationhistory_id_seq OWNED BY public.south_migrationhistory.id;
ALTER TABLE ONLY public."Reporting_actionentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_actionentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_bundle" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_bundle_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_client" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_client_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_failureentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_failureentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_fileacl" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_fileacl_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_fileperms" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_fileperms_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_group" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_group_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_group_bundles" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_group_bundles_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_group_groups" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_group_groups_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_actions" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_actions_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_bundles" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_bundles_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_failures" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_failures_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_groups" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_groups_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_packages" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_packages_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_paths" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_paths_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_posixgroups" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_posixgroups_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_posixusers" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_posixusers_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_sebooleans" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_sebooleans_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_sefcontexts" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_sefcontexts_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_seinterfaces" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_seinterfaces_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_selogins" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_selogins_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_semodules" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_semodules_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_senodes" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_senodes_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_sepermissives" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_sepermissives_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_seports" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_seports_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_services" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_services_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_interaction_seusers" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_interaction_seusers_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_packageentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_packageentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_pathentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_pathentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_pathentry_acls" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_pathentry_acls_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_performance" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_performance_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_posixgroupentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_posixgroupentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_posixuserentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_posixuserentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_sebooleanentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_sebooleanentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_sefcontextentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_sefcontextentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_seinterfaceentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_seinterfaceentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_seloginentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_seloginentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_semoduleentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_semoduleentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_senodeentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_senodeentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_sepermissiveentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_sepermissiveentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_seportentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_seportentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_serviceentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_serviceentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Reporting_seuserentry" ALTER COLUMN id SET DEFAULT nextval('public."Reporting_seuserentry_id_seq"'::regclass);
ALTER TABLE ONLY public."Server_probesdatamodel" ALTER COLUMN id SET DEFAULT nextval('public."Server_probesdatamodel_id_seq"'::regclass);
ALTER TABLE ONLY public."Server_probesgroupsmodel" ALTER COLUMN id SET DEFAULT nextval('public."Server_probesgroupsmodel_id_seq"'::regclass);
ALTER TABLE ONLY public.auth_group ALTER COLUMN id SET DEFAULT nextval('public.auth_group_id_seq'::regclass);
ALTER TABLE ONLY public.auth_group_permissions ALTER COLUMN id SET DEFAULT nextval('public.auth_group_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.auth_permission ALTER COLUMN id SET DEFAULT nextval('public.auth_permission_id_seq'::regclass);
ALTER TABLE ONLY public.auth_user ALTER COLUMN id SET DEFAULT nextval('public.auth_user_id_seq'::regclass);
ALTER TABLE ONLY public.auth_user_groups ALTER COLUMN id SET DEFAULT nextval('public.auth_user_groups_id_seq'::regclass);
ALTER TABLE ONLY public.auth_user_user_permissions ALTER COLUMN id SET DEFAULT nextval('public.auth_user_user_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.django_admin_log ALTER COLUMN id SET DEFAULT nextval('public.django_admin_log_id_seq'::regclass);
ALTER TABLE ONLY public.django_content_type ALTER COLUMN id SET DEFAULT nextval('public.django_content_type_id_seq'::regclass);
ALTER TABLE ONLY public.django_site ALTER COLUMN id SET DEFAULT nextval('public.django_site_id_seq'::regclass);
ALTER TABLE ONLY public.south_migrationhistory ALTER COLUMN id SET DEFAULT nextval('public.south_migrationhistory_id_seq'::regclass);
INSERT INTO public."Reporting_actionentry" VALUES (1, 'restart', -5466639705730740333, 1, true, 'check', -1);
INSERT INTO public."Reporting_bundle" VALUES (1, 'base');
INSERT INTO public."Reporting_bundle" VALUES (2, 'nginx');
INSERT INTO public."Reporting_client" VALUES (1, '2026-11-22 11:33:37.095947+00', 'alpha.example.net', 3, NULL);
INSERT INTO public."Reporting_client" VALUES (2, '2026-11-22 11:33:40.063802+00', 'beta.example.net', 4, NULL);
INSERT INTO public."Reporting_client" VALUES (3, '2026-11-22 11:33:40.333085+00', 'Gamma.example.net', 5, '2014-07-01 10:00:00+00');
INSERT INTO public."Reporting_failureentry" VALUES (1, '/etc/unbound', -2171962846423706147, 'Path', 'no generator for it');
INSERT INTO public."Reporting_fileperms" VALUES (1, 'root', 'root', '0644');
INSERT INTO public."Reporting_fileperms" VALUES (2, 'daemon', 'daemon', '0600');
INSERT INTO public."Reporting_fileperms" VALUES (3, 'root', 'root', '0600');
INSERT INTO public."Reporting_fileperms" VALUES (4, '', '', '0644');
INSERT INTO public."Reporting_fileperms" VALUES (5, '', '', '');
INSERT INTO public."Reporting_fileperms" VALUES (6, 'root', 'root', '');
INSERT INTO public."Reporting_fileperms" VALUES (7, 'root', 'root', '0755');
INSERT INTO public."Reporting_group" VALUES (1, 'web', false, false, '', '');
INSERT INTO public."Reporting_group" VALUES (2, 'blue', false, false, '', '');
INSERT INTO public."Reporting_group" VALUES (3, 'debian', false, false, '', '');
INSERT INTO public."Reporting_interaction" VALUES (1, 1, '2014-03-01 12:00:00+00', 'dirty', 'r42', 'bcfg2.example.net', 7, 30, 23, 1, 2, 1);
INSERT INTO public."Reporting_interaction" VALUES (2, 1, '2014-03-01 12:30:00+00', 'dirty', 'r42', 'bcfg2.example.net', 7, 30, 23, 0, 0, 1);
INSERT INTO public."Reporting_interaction" VALUES (3, 1, '2014-03-01 13:00:00+00', 'clean', 'r42', 'bcfg2.example.net', 7, 30, 0, 0, 0, 1);
INSERT INTO public."Reporting_interaction" VALUES (4, 2, '2014-10-26 01:15:00+00', 'clean', 'r42', 'bcfg2.example.net', 7, 30, 0, 0, 0, 1);
INSERT INTO public."Reporting_interaction" VALUES (5, 3, '2014-07-01 08:00:00+00', 'clean', 'r42', 'bcfg2.example.net', 7, 30, 0, 0, 0, 1);
INSERT INTO public."Reporting_interaction_actions" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_actions" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_bundles" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_bundles" VALUES (2, 1, 2);
INSERT INTO public."Reporting_interaction_bundles" VALUES (3, 2, 1);
INSERT INTO public."Reporting_interaction_bundles" VALUES (4, 2, 2);
INSERT INTO public."Reporting_interaction_bundles" VALUES (5, 3, 1);
INSERT INTO public."Reporting_interaction_bundles" VALUES (6, 3, 2);
INSERT INTO public."Reporting_interaction_bundles" VALUES (7, 4, 1);
INSERT INTO public."Reporting_interaction_bundles" VALUES (8, 4, 2);
INSERT INTO public."Reporting_interaction_bundles" VALUES (9, 5, 1);
INSERT INTO public."Reporting_interaction_bundles" VALUES (10, 5, 2);
INSERT INTO public."Reporting_interaction_failures" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_failures" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_groups" VALUES (1, 1, 2);
INSERT INTO public."Reporting_interaction_groups" VALUES (2, 1, 3);
INSERT INTO public."Reporting_interaction_groups" VALUES (3, 2, 2);
INSERT INTO public."Reporting_interaction_groups" VALUES (4, 2, 3);
INSERT INTO public."Reporting_interaction_groups" VALUES (5, 3, 2);
INSERT INTO public."Reporting_interaction_groups" VALUES (6, 3, 3);
INSERT INTO public."Reporting_interaction_groups" VALUES (7, 4, 2);
INSERT INTO public."Reporting_interaction_groups" VALUES (8, 4, 3);
INSERT INTO public."Reporting_interaction_packages" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_packages" VALUES (2, 1, 2);
INSERT INTO public."Reporting_interaction_packages" VALUES (3, 1, 3);
INSERT INTO public."Reporting_interaction_packages" VALUES (4, 2, 1);
INSERT INTO public."Reporting_interaction_packages" VALUES (5, 2, 2);
INSERT INTO public."Reporting_interaction_paths" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_paths" VALUES (2, 1, 2);
INSERT INTO public."Reporting_interaction_paths" VALUES (3, 1, 3);
INSERT INTO public."Reporting_interaction_paths" VALUES (4, 1, 4);
INSERT INTO public."Reporting_interaction_paths" VALUES (5, 1, 5);
INSERT INTO public."Reporting_interaction_paths" VALUES (6, 1, 6);
INSERT INTO public."Reporting_interaction_paths" VALUES (7, 1, 7);
INSERT INTO public."Reporting_interaction_paths" VALUES (8, 2, 4);
INSERT INTO public."Reporting_interaction_paths" VALUES (9, 2, 6);
INSERT INTO public."Reporting_interaction_paths" VALUES (10, 2, 8);
INSERT INTO public."Reporting_interaction_paths" VALUES (11, 2, 9);
INSERT INTO public."Reporting_interaction_paths" VALUES (12, 2, 10);
INSERT INTO public."Reporting_interaction_paths" VALUES (13, 2, 11);
INSERT INTO public."Reporting_interaction_paths" VALUES (14, 2, 12);
INSERT INTO public."Reporting_interaction_posixgroups" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_posixgroups" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_posixusers" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_posixusers" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_sebooleans" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_sebooleans" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_sefcontexts" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_sefcontexts" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_seinterfaces" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_seinterfaces" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_selogins" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_selogins" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_semodules" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_semodules" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_senodes" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_senodes" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_sepermissives" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_sepermissives" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_seports" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_seports" VALUES (2, 2, 1);
INSERT INTO public."Reporting_interaction_services" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_services" VALUES (2, 1, 2);
INSERT INTO public."Reporting_interaction_services" VALUES (3, 1, 3);
INSERT INTO public."Reporting_interaction_services" VALUES (4, 2, 1);
INSERT INTO public."Reporting_interaction_seusers" VALUES (1, 1, 1);
INSERT INTO public."Reporting_interaction_seusers" VALUES (2, 2, 1);
INSERT INTO public."Reporting_linkentry" VALUES (5, 'motd', 'issue');
INSERT INTO public."Reporting_linkentry" VALUES (11, 'motd', 'issue');
INSERT INTO public."Reporting_packageentry" VALUES (1, 'nginx', -6882816901206153315, 1, true, '1.24-1', '1.22-9', '');
INSERT INTO public."Reporting_packageentry" VALUES (2, 'vim', 5119697085062118595, 1, false, '9.0', '', '');
INSERT INTO public."Reporting_packageentry" VALUES (3, 'telnetd', -3085903996314941751, 3, true, '', '0.17-5.amd64', '');
INSERT INTO public."Reporting_pathentry" VALUES (1, '/etc/motd', -7853094010193450447, 1, true, 'file', 1, 2, 1, '- Grüße
+ Gruß
  Ende');
INSERT INTO public."Reporting_pathentry" VALUES (2, '/etc/key', 4966533624226889973, 1, true, 'file', 3, 4, 3, '');
INSERT INTO public."Reporting_pathentry" VALUES (3, '/etc/blob', 2546941409848478100, 1, true, 'file', 1, 5, 2, 'AQEBAQEBAQEB');
INSERT INTO public."Reporting_pathentry" VALUES (4, '/etc/large', 4143908557928609152, 1, true, 'file', 1, 5, 4, 'c5ce785d50f7855c3dc6194f57152291');
INSERT INTO public."Reporting_pathentry" VALUES (5, '/etc/link', 9016438145544628265, 1, true, 'symlink', 6, 5, 0, '');
INSERT INTO public."Reporting_pathentry" VALUES (6, '/etc/gone', -8395886371876038990, 1, true, 'nonexistent', 6, 5, 0, '');
INSERT INTO public."Reporting_pathentry" VALUES (7, '/srv', -5211376348349151407, 1, true, 'directory', 7, 5, 6, '/srv/x
/srv/y');
INSERT INTO public."Reporting_pathentry" VALUES (8, '/etc/motd', 3966390796754544987, 1, true, 'file', 1, 2, 1, '- Grüße
+ Gruß
  Ende');
INSERT INTO public."Reporting_pathentry" VALUES (9, '/etc/key', 5226865532027350801, 1, true, 'file', 3, 4, 3, '');
INSERT INTO public."Reporting_pathentry" VALUES (10, '/etc/blob', -4819877763648132227, 1, true, 'file', 1, 5, 2, 'AQEBAQEBAQEB');
INSERT INTO public."Reporting_pathentry" VALUES (11, '/etc/link', -5255726543536052790, 1, true, 'symlink', 6, 5, 0, '');
INSERT INTO public."Reporting_pathentry" VALUES (12, '/srv', 2642624442264987620, 1, true, 'directory', 7, 5, 6, '/srv/x
/srv/y');
INSERT INTO public."Reporting_performance" VALUES (1, 1, 'start', 1393675190.1250000000000000);
INSERT INTO public."Reporting_performance" VALUES (2, 1, 'inventory', 1393675191.6250000000000000);
INSERT INTO public."Reporting_performance" VALUES (3, 1, 'finished', 1393675194.3750000000000000);
INSERT INTO public."Reporting_performance" VALUES (4, 2, 'start', 1393676990.0000000000000000);
INSERT INTO public."Reporting_performance" VALUES (5, 2, 'inventory', 1393676991.5000000000000000);
INSERT INTO public."Reporting_performance" VALUES (6, 2, 'finished', 1393676994.2500000000000000);
INSERT INTO public."Reporting_performance" VALUES (7, 3, 'start', 1393678790.0000000000000000);
INSERT INTO public."Reporting_performance" VALUES (8, 3, 'inventory', 1393678791.5000000000000000);
INSERT INTO public."Reporting_performance" VALUES (9, 3, 'finished', 1393678794.2500000000000000);
INSERT INTO public."Reporting_performance" VALUES (10, 4, 'start', 1414286090.0000000000000000);
INSERT INTO public."Reporting_performance" VALUES (11, 4, 'inventory', 1414286091.5000000000000000);
INSERT INTO public."Reporting_performance" VALUES (12, 4, 'finished', 1414286094.2500000000000000);
INSERT INTO public."Reporting_posixgroupentry" VALUES (1, 'users', -5770106306078784830, 1, true, 100, 101);
INSERT INTO public."Reporting_posixuserentry" VALUES (1, 'alice', -6585730985707962419, 1, true, 1000, 1001, 'users', NULL, 'Alice', NULL, '/home/alice', NULL, '/bin/sh', '/bin/zsh');
INSERT INTO public."Reporting_sebooleanentry" VALUES (1, 'httpd_can_sendmail', 2474137485503683168, 1, true, true);
INSERT INTO public."Reporting_sefcontextentry" VALUES (1, '/srv(/.*)?', 2578971868106482386, 1, true, 'srv_t', 'tmp_t', 'all');
INSERT INTO public."Reporting_seinterfaceentry" VALUES (1, 'eth0', -6195639664707420905, 1, true, 'netif_t', 'other_t');
INSERT INTO public."Reporting_seloginentry" VALUES (1, 'alice', 1183756710480297117, 1, true, 'staff_u', 'user_u');
INSERT INTO public."Reporting_semoduleentry" VALUES (1, 'foo', 1240669337622004271, 1, true, false, true);
INSERT INTO public."Reporting_senodeentry" VALUES (1, '192.0.2.0/24', 360405295648637373, 1, true, 'node_t', NULL, 'ipv4');
INSERT INTO public."Reporting_sepermissiveentry" VALUES (1, 'httpd_t', 4022274897367242129, 1, true);
INSERT INTO public."Reporting_seportentry" VALUES (1, 'tcp/8080', -239516819571005863, 1, true, 'http_port_t', 'other_port_t');
INSERT INTO public."Reporting_serviceentry" VALUES (1, 'nginx', -8930084311834234295, 1, true, '', 'off');
INSERT INTO public."Reporting_serviceentry" VALUES (2, 'rpcbind', -4304751591324522030, 3, true, '', 'on');
INSERT INTO public."Reporting_serviceentry" VALUES (3, 'cron', -1744764293674605439, 2, true, '', 'off');
INSERT INTO public."Reporting_seuserentry" VALUES (1, 'staff_u', -6810426965407294369, 1, true, 'staff_r', 'user_r', 'user', 'user');
INSERT INTO public."Server_metadataclientmodel" VALUES ('alpha.example.net', '1.3.4');
INSERT INTO public."Server_metadataclientmodel" VALUES ('beta.example.net', NULL);
INSERT INTO public."Server_metadataclientmodel" VALUES ('Gamma.example.net', '1.3.3');
INSERT INTO public."Server_probesdatamodel" VALUES (1, 'alpha.example.net', 'arch', '2026-11-22 11:33:36.994435+00', 'x86_64
');
INSERT INTO public."Server_probesdatamodel" VALUES (2, 'alpha.example.net', 'motd', '2026-11-22 11:33:37.000987+00', 'Grüße
');
INSERT INTO public."Server_probesdatamodel" VALUES (3, 'beta.example.net', 'arch', '2026-11-22 11:33:37.026392+00', 'aarch64
');
INSERT INTO public."Server_probesgroupsmodel" VALUES (1, 'alpha.example.net', 'zone-b');
INSERT INTO public."Server_probesgroupsmodel" VALUES (2, 'alpha.example.net', 'arch-x');
INSERT INTO public."Server_probesgroupsmodel" VALUES (3, 'delta.example.net', 'lonely');
INSERT INTO public.auth_permission VALUES (1, 'Can add permission', 1, 'add_permission');
INSERT INTO public.auth_permission VALUES (2, 'Can change permission', 1, 'change_permission');
INSERT INTO public.auth_permission VALUES (3, 'Can delete permission', 1, 'delete_permission');
INSERT INTO public.auth_permission VALUES (4, 'Can add group', 2, 'add_group');
INSERT INTO public.auth_permission VALUES (5, 'Can change group', 2, 'change_group');
INSERT INTO public.auth_permission VALUES (6, 'Can delete group', 2, 'delete_group');
INSERT INTO public.auth_permission VALUES (7, 'Can add user', 3, 'add_user');
INSERT INTO public.auth_permission VALUES (8, 'Can change user', 3, 'change_user');
INSERT INTO public.auth_permission VALUES (9, 'Can delete user', 3, 'delete_user');
INSERT INTO public.auth_permission VALUES (10, 'Can add content type', 4, 'add_contenttype');
INSERT INTO public.auth_permission VALUES (11, 'Can change content type', 4, 'change_contenttype');
INSERT INTO public.auth_permission VALUES (12, 'Can delete content type', 4, 'delete_contenttype');
INSERT INTO public.auth_permission VALUES (13, 'Can add session', 5, 'add_session');
INSERT INTO public.auth_permission VALUES (14, 'Can change session', 5, 'change_session');
INSERT INTO public.auth_permission VALUES (15, 'Can delete session', 5, 'delete_session');
INSERT INTO public.auth_permission VALUES (16, 'Can add site', 6, 'add_site');
INSERT INTO public.auth_permission VALUES (17, 'Can change site', 6, 'change_site');
INSERT INTO public.auth_permission VALUES (18, 'Can delete site', 6, 'delete_site');
INSERT INTO public.auth_permission VALUES (19, 'Can add log entry', 7, 'add_logentry');
INSERT INTO public.auth_permission VALUES (20, 'Can change log entry', 7, 'change_logentry');
INSERT INTO public.auth_permission VALUES (21, 'Can delete log entry', 7, 'delete_logentry');
INSERT INTO public.auth_permission VALUES (22, 'Can add metadata client model', 8, 'add_metadataclientmodel');
INSERT INTO public.auth_permission VALUES (23, 'Can change metadata client model', 8, 'change_metadataclientmodel');
INSERT INTO public.auth_permission VALUES (24, 'Can delete metadata client model', 8, 'delete_metadataclientmodel');
INSERT INTO public.auth_permission VALUES (25, 'Can add probes data model', 9, 'add_probesdatamodel');
INSERT INTO public.auth_permission VALUES (26, 'Can change probes data model', 9, 'change_probesdatamodel');
INSERT INTO public.auth_permission VALUES (27, 'Can delete probes data model', 9, 'delete_probesdatamodel');
INSERT INTO public.auth_permission VALUES (28, 'Can add probes groups model', 10, 'add_probesgroupsmodel');
INSERT INTO public.auth_permission VALUES (29, 'Can change probes groups model', 10, 'change_probesgroupsmodel');
INSERT INTO public.auth_permission VALUES (30, 'Can delete probes groups model', 10, 'delete_probesgroupsmodel');
INSERT INTO public.auth_permission VALUES (31, 'Can add migration history', 11, 'add_migrationhistory');
INSERT INTO public.auth_permission VALUES (32, 'Can change migration history', 11, 'change_migrationhistory');
INSERT INTO public.auth_permission VALUES (33, 'Can delete migration history', 11, 'delete_migrationhistory');
INSERT INTO public.auth_permission VALUES (34, 'Can add client', 12, 'add_client');
INSERT INTO public.auth_permission VALUES (35, 'Can change client', 12, 'change_client');
INSERT INTO public.auth_permission VALUES (36, 'Can delete client', 12, 'delete_client');
INSERT INTO public.auth_permission VALUES (37, 'Can add interaction', 13, 'add_interaction');
INSERT INTO public.auth_permission VALUES (38, 'Can change interaction', 13, 'change_interaction');
INSERT INTO public.auth_permission VALUES (39, 'Can delete interaction', 13, 'delete_interaction');
INSERT INTO public.auth_permission VALUES (40, 'Can add performance', 14, 'add_performance');
INSERT INTO public.auth_permission VALUES (41, 'Can change performance', 14, 'change_performance');
INSERT INTO public.auth_permission VALUES (42, 'Can delete performance', 14, 'delete_performance');
INSERT INTO public.auth_permission VALUES (43, 'Can add group', 15, 'add_group');
INSERT INTO public.auth_permission VALUES (44, 'Can change group', 15, 'change_group');
INSERT INTO public.auth_permission VALUES (45, 'Can delete group', 15, 'delete_group');
INSERT INTO public.auth_permission VALUES (46, 'Can add bundle', 16, 'add_bundle');
INSERT INTO public.auth_permission VALUES (47, 'Can change bundle', 16, 'change_bundle');
INSERT INTO public.auth_permission VALUES (48, 'Can delete bundle', 16, 'delete_bundle');
INSERT INTO public.auth_permission VALUES (49, 'Can add file perms', 17, 'add_fileperms');
INSERT INTO public.auth_permission VALUES (50, 'Can change file perms', 17, 'change_fileperms');
INSERT INTO public.auth_permission VALUES (51, 'Can delete file perms', 17, 'delete_fileperms');
INSERT INTO public.auth_permission VALUES (52, 'Can add file acl', 18, 'add_fileacl');
INSERT INTO public.auth_permission VALUES (53, 'Can change file acl', 18, 'change_fileacl');
INSERT INTO public.auth_permission VALUES (54, 'Can delete file acl', 18, 'delete_fileacl');
INSERT INTO public.auth_permission VALUES (55, 'Can add failure entry', 19, 'add_failureentry');
INSERT INTO public.auth_permission VALUES (56, 'Can change failure entry', 19, 'change_failureentry');
INSERT INTO public.auth_permission VALUES (57, 'Can delete failure entry', 19, 'delete_failureentry');
INSERT INTO public.auth_permission VALUES (58, 'Can add action entry', 20, 'add_actionentry');
INSERT INTO public.auth_permission VALUES (59, 'Can change action entry', 20, 'change_actionentry');
INSERT INTO public.auth_permission VALUES (60, 'Can delete action entry', 20, 'delete_actionentry');
INSERT INTO public.auth_permission VALUES (61, 'Can add se boolean entry', 21, 'add_sebooleanentry');
INSERT INTO public.auth_permission VALUES (62, 'Can change se boolean entry', 21, 'change_sebooleanentry');
INSERT INTO public.auth_permission VALUES (63, 'Can delete se boolean entry', 21, 'delete_sebooleanentry');
INSERT INTO public.auth_permission VALUES (64, 'Can add se port entry', 22, 'add_seportentry');
INSERT INTO public.auth_permission VALUES (65, 'Can change se port entry', 22, 'change_seportentry');
INSERT INTO public.auth_permission VALUES (66, 'Can delete se port entry', 22, 'delete_seportentry');
INSERT INTO public.auth_permission VALUES (67, 'Can add se fcontext entry', 23, 'add_sefcontextentry');
INSERT INTO public.auth_permission VALUES (68, 'Can change se fcontext entry', 23, 'change_sefcontextentry');
INSERT INTO public.auth_permission VALUES (69, 'Can delete se fcontext entry', 23, 'delete_sefcontextentry');
INSERT INTO public.auth_permission VALUES (70, 'Can add se node entry', 24, 'add_senodeentry');
INSERT INTO public.auth_permission VALUES (71, 'Can change se node entry', 24, 'change_senodeentry');
INSERT INTO public.auth_permission VALUES (72, 'Can delete se node entry', 24, 'delete_senodeentry');
INSERT INTO public.auth_permission VALUES (73, 'Can add se login entry', 25, 'add_seloginentry');
INSERT INTO public.auth_permission VALUES (74, 'Can change se login entry', 25, 'change_seloginentry');
INSERT INTO public.auth_permission VALUES (75, 'Can delete se login entry', 25, 'delete_seloginentry');
INSERT INTO public.auth_permission VALUES (76, 'Can add se user entry', 26, 'add_seuserentry');
INSERT INTO public.auth_permission VALUES (77, 'Can change se user entry', 26, 'change_seuserentry');
INSERT INTO public.auth_permission VALUES (78, 'Can delete se user entry', 26, 'delete_seuserentry');
INSERT INTO public.auth_permission VALUES (79, 'Can add se interface entry', 27, 'add_seinterfaceentry');
INSERT INTO public.auth_permission VALUES (80, 'Can change se interface entry', 27, 'change_seinterfaceentry');
INSERT INTO public.auth_permission VALUES (81, 'Can delete se interface entry', 27, 'delete_seinterfaceentry');
INSERT INTO public.auth_permission VALUES (82, 'Can add se permissive entry', 28, 'add_sepermissiveentry');
INSERT INTO public.auth_permission VALUES (83, 'Can change se permissive entry', 28, 'change_sepermissiveentry');
INSERT INTO public.auth_permission VALUES (84, 'Can delete se permissive entry', 28, 'delete_sepermissiveentry');
INSERT INTO public.auth_permission VALUES (85, 'Can add se module entry', 29, 'add_semoduleentry');
INSERT INTO public.auth_permission VALUES (86, 'Can change se module entry', 29, 'change_semoduleentry');
INSERT INTO public.auth_permission VALUES (87, 'Can delete se module entry', 29, 'delete_semoduleentry');
INSERT INTO public.auth_permission VALUES (88, 'Can add posix user entry', 30, 'add_posixuserentry');
INSERT INTO public.auth_permission VALUES (89, 'Can change posix user entry', 30, 'change_posixuserentry');
INSERT INTO public.auth_permission VALUES (90, 'Can delete posix user entry', 30, 'delete_posixuserentry');
INSERT INTO public.auth_permission VALUES (91, 'Can add posix group entry', 31, 'add_posixgroupentry');
INSERT INTO public.auth_permission VALUES (92, 'Can change posix group entry', 31, 'change_posixgroupentry');
INSERT INTO public.auth_permission VALUES (93, 'Can delete posix group entry', 31, 'delete_posixgroupentry');
INSERT INTO public.auth_permission VALUES (94, 'Can add package entry', 32, 'add_packageentry');
INSERT INTO public.auth_permission VALUES (95, 'Can change package entry', 32, 'change_packageentry');
INSERT INTO public.auth_permission VALUES (96, 'Can delete package entry', 32, 'delete_packageentry');
INSERT INTO public.auth_permission VALUES (97, 'Can add path entry', 33, 'add_pathentry');
INSERT INTO public.auth_permission VALUES (98, 'Can change path entry', 33, 'change_pathentry');
INSERT INTO public.auth_permission VALUES (99, 'Can delete path entry', 33, 'delete_pathentry');
INSERT INTO public.auth_permission VALUES (100, 'Can add link entry', 34, 'add_linkentry');
INSERT INTO public.auth_permission VALUES (101, 'Can change link entry', 34, 'change_linkentry');
INSERT INTO public.auth_permission VALUES (102, 'Can delete link entry', 34, 'delete_linkentry');
INSERT INTO public.auth_permission VALUES (103, 'Can add device entry', 35, 'add_deviceentry');
INSERT INTO public.auth_permission VALUES (104, 'Can change device entry', 35, 'change_deviceentry');
INSERT INTO public.auth_permission VALUES (105, 'Can delete device entry', 35, 'delete_deviceentry');
INSERT INTO public.auth_permission VALUES (106, 'Can add service entry', 36, 'add_serviceentry');
INSERT INTO public.auth_permission VALUES (107, 'Can change service entry', 36, 'change_serviceentry');
INSERT INTO public.auth_permission VALUES (108, 'Can delete service entry', 36, 'delete_serviceentry');
INSERT INTO public.django_content_type VALUES (1, 'permission', 'auth', 'permission');
INSERT INTO public.django_content_type VALUES (2, 'group', 'auth', 'group');
INSERT INTO public.django_content_type VALUES (3, 'user', 'auth', 'user');
INSERT INTO public.django_content_type VALUES (4, 'content type', 'contenttypes', 'contenttype');
INSERT INTO public.django_content_type VALUES (5, 'session', 'sessions', 'session');
INSERT INTO public.django_content_type VALUES (6, 'site', 'sites', 'site');
INSERT INTO public.django_content_type VALUES (7, 'log entry', 'admin', 'logentry');
INSERT INTO public.django_content_type VALUES (8, 'metadata client model', 'Server', 'metadataclientmodel');
INSERT INTO public.django_content_type VALUES (9, 'probes data model', 'Server', 'probesdatamodel');
INSERT INTO public.django_content_type VALUES (10, 'probes groups model', 'Server', 'probesgroupsmodel');
INSERT INTO public.django_content_type VALUES (11, 'migration history', 'south', 'migrationhistory');
INSERT INTO public.django_content_type VALUES (12, 'client', 'Reporting', 'client');
INSERT INTO public.django_content_type VALUES (13, 'interaction', 'Reporting', 'interaction');
INSERT INTO public.django_content_type VALUES (14, 'performance', 'Reporting', 'performance');
INSERT INTO public.django_content_type VALUES (15, 'group', 'Reporting', 'group');
INSERT INTO public.django_content_type VALUES (16, 'bundle', 'Reporting', 'bundle');
INSERT INTO public.django_content_type VALUES (17, 'file perms', 'Reporting', 'fileperms');
INSERT INTO public.django_content_type VALUES (18, 'file acl', 'Reporting', 'fileacl');
INSERT INTO public.django_content_type VALUES (19, 'failure entry', 'Reporting', 'failureentry');
INSERT INTO public.django_content_type VALUES (20, 'action entry', 'Reporting', 'actionentry');
INSERT INTO public.django_content_type VALUES (21, 'se boolean entry', 'Reporting', 'sebooleanentry');
INSERT INTO public.django_content_type VALUES (22, 'se port entry', 'Reporting', 'seportentry');
INSERT INTO public.django_content_type VALUES (23, 'se fcontext entry', 'Reporting', 'sefcontextentry');
INSERT INTO public.django_content_type VALUES (24, 'se node entry', 'Reporting', 'senodeentry');
INSERT INTO public.django_content_type VALUES (25, 'se login entry', 'Reporting', 'seloginentry');
INSERT INTO public.django_content_type VALUES (26, 'se user entry', 'Reporting', 'seuserentry');
INSERT INTO public.django_content_type VALUES (27, 'se interface entry', 'Reporting', 'seinterfaceentry');
INSERT INTO public.django_content_type VALUES (28, 'se permissive entry', 'Reporting', 'sepermissiveentry');
INSERT INTO public.django_content_type VALUES (29, 'se module entry', 'Reporting', 'semoduleentry');
INSERT INTO public.django_content_type VALUES (30, 'posix user entry', 'Reporting', 'posixuserentry');
INSERT INTO public.django_content_type VALUES (31, 'posix group entry', 'Reporting', 'posixgroupentry');
INSERT INTO public.django_content_type VALUES (32, 'package entry', 'Reporting', 'packageentry');
INSERT INTO public.django_content_type VALUES (33, 'path entry', 'Reporting', 'pathentry');
INSERT INTO public.django_content_type VALUES (34, 'link entry', 'Reporting', 'linkentry');
INSERT INTO public.django_content_type VALUES (35, 'device entry', 'Reporting', 'deviceentry');
INSERT INTO public.django_content_type VALUES (36, 'service entry', 'Reporting', 'serviceentry');
INSERT INTO public.django_site VALUES (1, 'example.com', 'example.com');
INSERT INTO public.south_migrationhistory VALUES (1, 'Reporting', '0001_initial', '2026-11-22 11:33:34.362346+00');
INSERT INTO public.south_migrationhistory VALUES (2, 'Reporting', '0002_convert_perms_to_mode', '2026-11-22 11:33:34.606381+00');
INSERT INTO public.south_migrationhistory VALUES (3, 'Reporting', '0003_expand_hash_key', '2026-11-22 11:33:35.228514+00');
INSERT INTO public.south_migrationhistory VALUES (4, 'Reporting', '0004_profile_can_be_null', '2026-11-22 11:33:35.471395+00');
INSERT INTO public.south_migrationhistory VALUES (5, 'Reporting', '0005_add_selinux_entry_support', '2026-11-22 11:33:36.13058+00');
INSERT INTO public.south_migrationhistory VALUES (6, 'Reporting', '0006_add_user_group_entry_support', '2026-11-22 11:33:36.45096+00');
SELECT pg_catalog.setval('public."Reporting_actionentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_bundle_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_client_id_seq"', 3, true);
SELECT pg_catalog.setval('public."Reporting_failureentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_fileacl_id_seq"', 1, false);
SELECT pg_catalog.setval('public."Reporting_fileperms_id_seq"', 7, true);
SELECT pg_catalog.setval('public."Reporting_group_bundles_id_seq"', 1, false);
SELECT pg_catalog.setval('public."Reporting_group_groups_id_seq"', 1, false);
SELECT pg_catalog.setval('public."Reporting_group_id_seq"', 3, true);
SELECT pg_catalog.setval('public."Reporting_interaction_actions_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_bundles_id_seq"', 10, true);
SELECT pg_catalog.setval('public."Reporting_interaction_failures_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_groups_id_seq"', 8, true);
SELECT pg_catalog.setval('public."Reporting_interaction_id_seq"', 5, true);
SELECT pg_catalog.setval('public."Reporting_interaction_packages_id_seq"', 5, true);
SELECT pg_catalog.setval('public."Reporting_interaction_paths_id_seq"', 14, true);
SELECT pg_catalog.setval('public."Reporting_interaction_posixgroups_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_posixusers_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_sebooleans_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_sefcontexts_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_seinterfaces_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_selogins_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_semodules_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_senodes_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_sepermissives_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_seports_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_interaction_services_id_seq"', 4, true);
SELECT pg_catalog.setval('public."Reporting_interaction_seusers_id_seq"', 2, true);
SELECT pg_catalog.setval('public."Reporting_packageentry_id_seq"', 3, true);
SELECT pg_catalog.setval('public."Reporting_pathentry_acls_id_seq"', 1, false);
SELECT pg_catalog.setval('public."Reporting_pathentry_id_seq"', 12, true);
SELECT pg_catalog.setval('public."Reporting_performance_id_seq"', 12, true);
SELECT pg_catalog.setval('public."Reporting_posixgroupentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_posixuserentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_sebooleanentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_sefcontextentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_seinterfaceentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_seloginentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_semoduleentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_senodeentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_sepermissiveentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_seportentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Reporting_serviceentry_id_seq"', 3, true);
SELECT pg_catalog.setval('public."Reporting_seuserentry_id_seq"', 1, true);
SELECT pg_catalog.setval('public."Server_probesdatamodel_id_seq"', 3, true);
SELECT pg_catalog.setval('public."Server_probesgroupsmodel_id_seq"', 3, true);
SELECT pg_catalog.setval('public.auth_group_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_permission_id_seq', 108, true);
SELECT pg_catalog.setval('public.auth_user_groups_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_user_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_user_user_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.django_admin_log_id_seq', 1, false);
SELECT pg_catalog.setval('public.django_content_type_id_seq', 36, true);
SELECT pg_catalog.setval('public.django_site_id_seq', 1, true);
SELECT pg_catalog.setval('public.south_migrationhistory_id_seq', 6, true);
ALTER TABLE ONLY public."Reporting_actionentry"
    ADD CONSTRAINT "Reporting_actionentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_bundle"
    ADD CONSTRAINT "Reporting_bundle_name_key" UNIQUE (name);
ALTER TABLE ONLY public."Reporting_bundle"
    ADD CONSTRAINT "Reporting_bundle_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_client"
    ADD CONSTRAINT "Reporting_client_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_deviceentry"
    ADD CONSTRAINT "Reporting_deviceentry_pkey" PRIMARY KEY (pathentry_ptr_id);
ALTER TABLE ONLY public."Reporting_failureentry"
    ADD CONSTRAINT "Reporting_failureentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_fileacl"
    ADD CONSTRAINT "Reporting_fileacl_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_fileperms"
    ADD CONSTRAINT "Reporting_fileperms_owner_439e75f83e72a7e7_uniq" UNIQUE (owner, "group", mode);
ALTER TABLE ONLY public."Reporting_fileperms"
    ADD CONSTRAINT "Reporting_fileperms_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_group_bundles"
    ADD CONSTRAINT "Reporting_group_bundles_group_id_1b8aa5a49f520169_uniq" UNIQUE (group_id, bundle_id);
ALTER TABLE ONLY public."Reporting_group_bundles"
    ADD CONSTRAINT "Reporting_group_bundles_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_group_groups"
    ADD CONSTRAINT "Reporting_group_groups_from_group_id_e16f57da8e57870_uniq" UNIQUE (from_group_id, to_group_id);
ALTER TABLE ONLY public."Reporting_group_groups"
    ADD CONSTRAINT "Reporting_group_groups_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_group"
    ADD CONSTRAINT "Reporting_group_name_key" UNIQUE (name);
ALTER TABLE ONLY public."Reporting_group"
    ADD CONSTRAINT "Reporting_group_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_actions"
    ADD CONSTRAINT "Reporting_interaction_acti_interaction_id_6d0774ee50f9ca5c_uniq" UNIQUE (interaction_id, actionentry_id);
ALTER TABLE ONLY public."Reporting_interaction_actions"
    ADD CONSTRAINT "Reporting_interaction_actions_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_bundles"
    ADD CONSTRAINT "Reporting_interaction_bundl_interaction_id_66606e1f97b45f3_uniq" UNIQUE (interaction_id, bundle_id);
ALTER TABLE ONLY public."Reporting_interaction_bundles"
    ADD CONSTRAINT "Reporting_interaction_bundles_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction"
    ADD CONSTRAINT "Reporting_interaction_client_id_30278591404858d3_uniq" UNIQUE (client_id, "timestamp");
ALTER TABLE ONLY public."Reporting_interaction_failures"
    ADD CONSTRAINT "Reporting_interaction_fail_interaction_id_589d7d640f3e943a_uniq" UNIQUE (interaction_id, failureentry_id);
ALTER TABLE ONLY public."Reporting_interaction_failures"
    ADD CONSTRAINT "Reporting_interaction_failures_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_groups"
    ADD CONSTRAINT "Reporting_interaction_grou_interaction_id_458174ef145c86c1_uniq" UNIQUE (interaction_id, group_id);
ALTER TABLE ONLY public."Reporting_interaction_groups"
    ADD CONSTRAINT "Reporting_interaction_groups_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_packages"
    ADD CONSTRAINT "Reporting_interaction_pack_interaction_id_1c785ae70597bde2_uniq" UNIQUE (interaction_id, packageentry_id);
ALTER TABLE ONLY public."Reporting_interaction_packages"
    ADD CONSTRAINT "Reporting_interaction_packages_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_paths"
    ADD CONSTRAINT "Reporting_interaction_path_interaction_id_7bb5983b2eb5bf20_uniq" UNIQUE (interaction_id, pathentry_id);
ALTER TABLE ONLY public."Reporting_interaction_paths"
    ADD CONSTRAINT "Reporting_interaction_paths_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction"
    ADD CONSTRAINT "Reporting_interaction_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_posixusers"
    ADD CONSTRAINT "Reporting_interaction_posi_interaction_id_145906a2f82e45c6_uniq" UNIQUE (interaction_id, posixuserentry_id);
ALTER TABLE ONLY public."Reporting_interaction_posixgroups"
    ADD CONSTRAINT "Reporting_interaction_posi_interaction_id_217965625791082c_uniq" UNIQUE (interaction_id, posixgroupentry_id);
ALTER TABLE ONLY public."Reporting_interaction_posixgroups"
    ADD CONSTRAINT "Reporting_interaction_posixgroups_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_posixusers"
    ADD CONSTRAINT "Reporting_interaction_posixusers_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_sebooleans"
    ADD CONSTRAINT "Reporting_interaction_sebo_interaction_id_223d6b6aaa538f4e_uniq" UNIQUE (interaction_id, sebooleanentry_id);
ALTER TABLE ONLY public."Reporting_interaction_sebooleans"
    ADD CONSTRAINT "Reporting_interaction_sebooleans_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_sefcontexts"
    ADD CONSTRAINT "Reporting_interaction_sefc_interaction_id_2142077d4baddd9c_uniq" UNIQUE (interaction_id, sefcontextentry_id);
ALTER TABLE ONLY public."Reporting_interaction_sefcontexts"
    ADD CONSTRAINT "Reporting_interaction_sefcontexts_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_seinterfaces"
    ADD CONSTRAINT "Reporting_interaction_seinter_interaction_id_4625453b69abe_uniq" UNIQUE (interaction_id, seinterfaceentry_id);
ALTER TABLE ONLY public."Reporting_interaction_seinterfaces"
    ADD CONSTRAINT "Reporting_interaction_seinterfaces_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_selogins"
    ADD CONSTRAINT "Reporting_interaction_selo_interaction_id_7778789b6ee7c27a_uniq" UNIQUE (interaction_id, seloginentry_id);
ALTER TABLE ONLY public."Reporting_interaction_selogins"
    ADD CONSTRAINT "Reporting_interaction_selogins_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_semodules"
    ADD CONSTRAINT "Reporting_interaction_semo_interaction_id_44edb9dfb775914c_uniq" UNIQUE (interaction_id, semoduleentry_id);
ALTER TABLE ONLY public."Reporting_interaction_semodules"
    ADD CONSTRAINT "Reporting_interaction_semodules_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_senodes"
    ADD CONSTRAINT "Reporting_interaction_seno_interaction_id_291d070c3e97305c_uniq" UNIQUE (interaction_id, senodeentry_id);
ALTER TABLE ONLY public."Reporting_interaction_senodes"
    ADD CONSTRAINT "Reporting_interaction_senodes_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_sepermissives"
    ADD CONSTRAINT "Reporting_interaction_sepe_interaction_id_3ed5eeb1fb44087c_uniq" UNIQUE (interaction_id, sepermissiveentry_id);
ALTER TABLE ONLY public."Reporting_interaction_sepermissives"
    ADD CONSTRAINT "Reporting_interaction_sepermissives_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_seports"
    ADD CONSTRAINT "Reporting_interaction_sepor_interaction_id_fabb1c888ce9714_uniq" UNIQUE (interaction_id, seportentry_id);
ALTER TABLE ONLY public."Reporting_interaction_seports"
    ADD CONSTRAINT "Reporting_interaction_seports_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_services"
    ADD CONSTRAINT "Reporting_interaction_serv_interaction_id_496112a25db672d2_uniq" UNIQUE (interaction_id, serviceentry_id);
ALTER TABLE ONLY public."Reporting_interaction_services"
    ADD CONSTRAINT "Reporting_interaction_services_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_interaction_seusers"
    ADD CONSTRAINT "Reporting_interaction_seus_interaction_id_366d77921dafedfc_uniq" UNIQUE (interaction_id, seuserentry_id);
ALTER TABLE ONLY public."Reporting_interaction_seusers"
    ADD CONSTRAINT "Reporting_interaction_seusers_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_linkentry"
    ADD CONSTRAINT "Reporting_linkentry_pkey" PRIMARY KEY (pathentry_ptr_id);
ALTER TABLE ONLY public."Reporting_packageentry"
    ADD CONSTRAINT "Reporting_packageentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_pathentry_acls"
    ADD CONSTRAINT "Reporting_pathentry_acls_pathentry_id_49e1a6d0a3527d07_uniq" UNIQUE (pathentry_id, fileacl_id);
ALTER TABLE ONLY public."Reporting_pathentry_acls"
    ADD CONSTRAINT "Reporting_pathentry_acls_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_pathentry"
    ADD CONSTRAINT "Reporting_pathentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_performance"
    ADD CONSTRAINT "Reporting_performance_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_posixgroupentry"
    ADD CONSTRAINT "Reporting_posixgroupentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_posixuserentry"
    ADD CONSTRAINT "Reporting_posixuserentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_sebooleanentry"
    ADD CONSTRAINT "Reporting_sebooleanentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_sefcontextentry"
    ADD CONSTRAINT "Reporting_sefcontextentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_seinterfaceentry"
    ADD CONSTRAINT "Reporting_seinterfaceentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_seloginentry"
    ADD CONSTRAINT "Reporting_seloginentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_semoduleentry"
    ADD CONSTRAINT "Reporting_semoduleentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_senodeentry"
    ADD CONSTRAINT "Reporting_senodeentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_sepermissiveentry"
    ADD CONSTRAINT "Reporting_sepermissiveentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_seportentry"
    ADD CONSTRAINT "Reporting_seportentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_serviceentry"
    ADD CONSTRAINT "Reporting_serviceentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Reporting_seuserentry"
    ADD CONSTRAINT "Reporting_seuserentry_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Server_metadataclientmodel"
    ADD CONSTRAINT "Server_metadataclientmodel_pkey" PRIMARY KEY (hostname);
ALTER TABLE ONLY public."Server_probesdatamodel"
    ADD CONSTRAINT "Server_probesdatamodel_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Server_probesgroupsmodel"
    ADD CONSTRAINT "Server_probesgroupsmodel_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_name_key UNIQUE (name);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_permission_id_key UNIQUE (group_id, permission_id);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_codename_key UNIQUE (content_type_id, codename);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_user_id_group_id_key UNIQUE (user_id, group_id);
ALTER TABLE ONLY public.auth_user
    ADD CONSTRAINT auth_user_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_user_id_permission_id_key UNIQUE (user_id, permission_id);
ALTER TABLE ONLY public.auth_user
    ADD CONSTRAINT auth_user_username_key UNIQUE (username);
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_app_label_model_key UNIQUE (app_label, model);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_session
    ADD CONSTRAINT django_session_pkey PRIMARY KEY (session_key);
ALTER TABLE ONLY public.django_site
    ADD CONSTRAINT django_site_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.south_migrationhistory
    ADD CONSTRAINT south_migrationhistory_pkey PRIMARY KEY (id);
CREATE INDEX "Reporting_actionentry_hash_key" ON public."Reporting_actionentry" USING btree (hash_key);
CREATE INDEX "Reporting_actionentry_name" ON public."Reporting_actionentry" USING btree (name);
CREATE INDEX "Reporting_actionentry_name_like" ON public."Reporting_actionentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_bundle_name_like" ON public."Reporting_bundle" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_client_current_interaction_id" ON public."Reporting_client" USING btree (current_interaction_id);
CREATE INDEX "Reporting_failureentry_hash_key" ON public."Reporting_failureentry" USING btree (hash_key);
CREATE INDEX "Reporting_failureentry_name" ON public."Reporting_failureentry" USING btree (name);
CREATE INDEX "Reporting_failureentry_name_like" ON public."Reporting_failureentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_fileacl_name" ON public."Reporting_fileacl" USING btree (name);
CREATE INDEX "Reporting_fileacl_name_like" ON public."Reporting_fileacl" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_group_bundles_bundle_id" ON public."Reporting_group_bundles" USING btree (bundle_id);
CREATE INDEX "Reporting_group_bundles_group_id" ON public."Reporting_group_bundles" USING btree (group_id);
CREATE INDEX "Reporting_group_groups_from_group_id" ON public."Reporting_group_groups" USING btree (from_group_id);
CREATE INDEX "Reporting_group_groups_to_group_id" ON public."Reporting_group_groups" USING btree (to_group_id);
CREATE INDEX "Reporting_group_name_like" ON public."Reporting_group" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_interaction_actions_actionentry_id" ON public."Reporting_interaction_actions" USING btree (actionentry_id);
CREATE INDEX "Reporting_interaction_actions_interaction_id" ON public."Reporting_interaction_actions" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_bundles_bundle_id" ON public."Reporting_interaction_bundles" USING btree (bundle_id);
CREATE INDEX "Reporting_interaction_bundles_interaction_id" ON public."Reporting_interaction_bundles" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_client_id" ON public."Reporting_interaction" USING btree (client_id);
CREATE INDEX "Reporting_interaction_failures_failureentry_id" ON public."Reporting_interaction_failures" USING btree (failureentry_id);
CREATE INDEX "Reporting_interaction_failures_interaction_id" ON public."Reporting_interaction_failures" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_groups_group_id" ON public."Reporting_interaction_groups" USING btree (group_id);
CREATE INDEX "Reporting_interaction_groups_interaction_id" ON public."Reporting_interaction_groups" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_packages_interaction_id" ON public."Reporting_interaction_packages" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_packages_packageentry_id" ON public."Reporting_interaction_packages" USING btree (packageentry_id);
CREATE INDEX "Reporting_interaction_paths_interaction_id" ON public."Reporting_interaction_paths" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_paths_pathentry_id" ON public."Reporting_interaction_paths" USING btree (pathentry_id);
CREATE INDEX "Reporting_interaction_posixgroups_interaction_id" ON public."Reporting_interaction_posixgroups" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_posixgroups_posixgroupentry_id" ON public."Reporting_interaction_posixgroups" USING btree (posixgroupentry_id);
CREATE INDEX "Reporting_interaction_posixusers_interaction_id" ON public."Reporting_interaction_posixusers" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_posixusers_posixuserentry_id" ON public."Reporting_interaction_posixusers" USING btree (posixuserentry_id);
CREATE INDEX "Reporting_interaction_profile_id" ON public."Reporting_interaction" USING btree (profile_id);
CREATE INDEX "Reporting_interaction_sebooleans_interaction_id" ON public."Reporting_interaction_sebooleans" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_sebooleans_sebooleanentry_id" ON public."Reporting_interaction_sebooleans" USING btree (sebooleanentry_id);
CREATE INDEX "Reporting_interaction_sefcontexts_interaction_id" ON public."Reporting_interaction_sefcontexts" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_sefcontexts_sefcontextentry_id" ON public."Reporting_interaction_sefcontexts" USING btree (sefcontextentry_id);
CREATE INDEX "Reporting_interaction_seinterfaces_interaction_id" ON public."Reporting_interaction_seinterfaces" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_seinterfaces_seinterfaceentry_id" ON public."Reporting_interaction_seinterfaces" USING btree (seinterfaceentry_id);
CREATE INDEX "Reporting_interaction_selogins_interaction_id" ON public."Reporting_interaction_selogins" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_selogins_seloginentry_id" ON public."Reporting_interaction_selogins" USING btree (seloginentry_id);
CREATE INDEX "Reporting_interaction_semodules_interaction_id" ON public."Reporting_interaction_semodules" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_semodules_semoduleentry_id" ON public."Reporting_interaction_semodules" USING btree (semoduleentry_id);
CREATE INDEX "Reporting_interaction_senodes_interaction_id" ON public."Reporting_interaction_senodes" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_senodes_senodeentry_id" ON public."Reporting_interaction_senodes" USING btree (senodeentry_id);
CREATE INDEX "Reporting_interaction_sepermissives_interaction_id" ON public."Reporting_interaction_sepermissives" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_sepermissives_sepermissiveentry_id" ON public."Reporting_interaction_sepermissives" USING btree (sepermissiveentry_id);
CREATE INDEX "Reporting_interaction_seports_interaction_id" ON public."Reporting_interaction_seports" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_seports_seportentry_id" ON public."Reporting_interaction_seports" USING btree (seportentry_id);
CREATE INDEX "Reporting_interaction_services_interaction_id" ON public."Reporting_interaction_services" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_services_serviceentry_id" ON public."Reporting_interaction_services" USING btree (serviceentry_id);
CREATE INDEX "Reporting_interaction_seusers_interaction_id" ON public."Reporting_interaction_seusers" USING btree (interaction_id);
CREATE INDEX "Reporting_interaction_seusers_seuserentry_id" ON public."Reporting_interaction_seusers" USING btree (seuserentry_id);
CREATE INDEX "Reporting_interaction_timestamp" ON public."Reporting_interaction" USING btree ("timestamp");
CREATE INDEX "Reporting_packageentry_hash_key" ON public."Reporting_packageentry" USING btree (hash_key);
CREATE INDEX "Reporting_packageentry_name" ON public."Reporting_packageentry" USING btree (name);
CREATE INDEX "Reporting_packageentry_name_like" ON public."Reporting_packageentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_pathentry_acls_fileacl_id" ON public."Reporting_pathentry_acls" USING btree (fileacl_id);
CREATE INDEX "Reporting_pathentry_acls_pathentry_id" ON public."Reporting_pathentry_acls" USING btree (pathentry_id);
CREATE INDEX "Reporting_pathentry_current_perms_id" ON public."Reporting_pathentry" USING btree (current_perms_id);
CREATE INDEX "Reporting_pathentry_hash_key" ON public."Reporting_pathentry" USING btree (hash_key);
CREATE INDEX "Reporting_pathentry_name" ON public."Reporting_pathentry" USING btree (name);
CREATE INDEX "Reporting_pathentry_name_like" ON public."Reporting_pathentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_pathentry_target_perms_id" ON public."Reporting_pathentry" USING btree (target_perms_id);
CREATE INDEX "Reporting_performance_interaction_id" ON public."Reporting_performance" USING btree (interaction_id);
CREATE INDEX "Reporting_posixgroupentry_hash_key" ON public."Reporting_posixgroupentry" USING btree (hash_key);
CREATE INDEX "Reporting_posixgroupentry_name" ON public."Reporting_posixgroupentry" USING btree (name);
CREATE INDEX "Reporting_posixgroupentry_name_like" ON public."Reporting_posixgroupentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_posixuserentry_hash_key" ON public."Reporting_posixuserentry" USING btree (hash_key);
CREATE INDEX "Reporting_posixuserentry_name" ON public."Reporting_posixuserentry" USING btree (name);
CREATE INDEX "Reporting_posixuserentry_name_like" ON public."Reporting_posixuserentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_sebooleanentry_hash_key" ON public."Reporting_sebooleanentry" USING btree (hash_key);
CREATE INDEX "Reporting_sebooleanentry_name" ON public."Reporting_sebooleanentry" USING btree (name);
CREATE INDEX "Reporting_sebooleanentry_name_like" ON public."Reporting_sebooleanentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_sefcontextentry_hash_key" ON public."Reporting_sefcontextentry" USING btree (hash_key);
CREATE INDEX "Reporting_sefcontextentry_name" ON public."Reporting_sefcontextentry" USING btree (name);
CREATE INDEX "Reporting_sefcontextentry_name_like" ON public."Reporting_sefcontextentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_seinterfaceentry_hash_key" ON public."Reporting_seinterfaceentry" USING btree (hash_key);
CREATE INDEX "Reporting_seinterfaceentry_name" ON public."Reporting_seinterfaceentry" USING btree (name);
CREATE INDEX "Reporting_seinterfaceentry_name_like" ON public."Reporting_seinterfaceentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_seloginentry_hash_key" ON public."Reporting_seloginentry" USING btree (hash_key);
CREATE INDEX "Reporting_seloginentry_name" ON public."Reporting_seloginentry" USING btree (name);
CREATE INDEX "Reporting_seloginentry_name_like" ON public."Reporting_seloginentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_semoduleentry_hash_key" ON public."Reporting_semoduleentry" USING btree (hash_key);
CREATE INDEX "Reporting_semoduleentry_name" ON public."Reporting_semoduleentry" USING btree (name);
CREATE INDEX "Reporting_semoduleentry_name_like" ON public."Reporting_semoduleentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_senodeentry_hash_key" ON public."Reporting_senodeentry" USING btree (hash_key);
CREATE INDEX "Reporting_senodeentry_name" ON public."Reporting_senodeentry" USING btree (name);
CREATE INDEX "Reporting_senodeentry_name_like" ON public."Reporting_senodeentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_sepermissiveentry_hash_key" ON public."Reporting_sepermissiveentry" USING btree (hash_key);
CREATE INDEX "Reporting_sepermissiveentry_name" ON public."Reporting_sepermissiveentry" USING btree (name);
CREATE INDEX "Reporting_sepermissiveentry_name_like" ON public."Reporting_sepermissiveentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_seportentry_hash_key" ON public."Reporting_seportentry" USING btree (hash_key);
CREATE INDEX "Reporting_seportentry_name" ON public."Reporting_seportentry" USING btree (name);
CREATE INDEX "Reporting_seportentry_name_like" ON public."Reporting_seportentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_serviceentry_hash_key" ON public."Reporting_serviceentry" USING btree (hash_key);
CREATE INDEX "Reporting_serviceentry_name" ON public."Reporting_serviceentry" USING btree (name);
CREATE INDEX "Reporting_serviceentry_name_like" ON public."Reporting_serviceentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Reporting_seuserentry_hash_key" ON public."Reporting_seuserentry" USING btree (hash_key);
CREATE INDEX "Reporting_seuserentry_name" ON public."Reporting_seuserentry" USING btree (name);
CREATE INDEX "Reporting_seuserentry_name_like" ON public."Reporting_seuserentry" USING btree (name varchar_pattern_ops);
CREATE INDEX "Server_metadataclientmodel_hostname_like" ON public."Server_metadataclientmodel" USING btree (hostname varchar_pattern_ops);
CREATE INDEX auth_group_name_like ON public.auth_group USING btree (name varchar_pattern_ops);
CREATE INDEX auth_group_permissions_group_id ON public.auth_group_permissions USING btree (group_id);
CREATE INDEX auth_group_permissions_permission_id ON public.auth_group_permissions USING btree (permission_id);
CREATE INDEX auth_permission_content_type_id ON public.auth_permission USING btree (content_type_id);
CREATE INDEX auth_user_groups_group_id ON public.auth_user_groups USING btree (group_id);
CREATE INDEX auth_user_groups_user_id ON public.auth_user_groups USING btree (user_id);
CREATE INDEX auth_user_user_permissions_permission_id ON public.auth_user_user_permissions USING btree (permission_id);
CREATE INDEX auth_user_user_permissions_user_id ON public.auth_user_user_permissions USING btree (user_id);
CREATE INDEX auth_user_username_like ON public.auth_user USING btree (username varchar_pattern_ops);
CREATE INDEX django_admin_log_content_type_id ON public.django_admin_log USING btree (content_type_id);
CREATE INDEX django_admin_log_user_id ON public.django_admin_log USING btree (user_id);
CREATE INDEX django_session_expire_date ON public.django_session USING btree (expire_date);
CREATE INDEX django_session_session_key_like ON public.django_session USING btree (session_key varchar_pattern_ops);
ALTER TABLE ONLY public."Reporting_interaction_actions"
    ADD CONSTRAINT actionentry_id_refs_id_010ae894 FOREIGN KEY (actionentry_id) REFERENCES public."Reporting_actionentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_permission_id_fkey FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_permission_id_fkey FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_bundles"
    ADD CONSTRAINT bundle_id_refs_id_33cc8899 FOREIGN KEY (bundle_id) REFERENCES public."Reporting_bundle"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_group_bundles"
    ADD CONSTRAINT bundle_id_refs_id_681d3d57 FOREIGN KEY (bundle_id) REFERENCES public."Reporting_bundle"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction"
    ADD CONSTRAINT client_id_refs_id_b5ab05c9 FOREIGN KEY (client_id) REFERENCES public."Reporting_client"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT content_type_id_refs_id_d043b34a FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_client"
    ADD CONSTRAINT current_interaction_id_refs_id_1a846f49 FOREIGN KEY (current_interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_pathentry"
    ADD CONSTRAINT current_perms_id_refs_id_09f18ba4 FOREIGN KEY (current_perms_id) REFERENCES public."Reporting_fileperms"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_content_type_id_fkey FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_failures"
    ADD CONSTRAINT failureentry_id_refs_id_7159de11 FOREIGN KEY (failureentry_id) REFERENCES public."Reporting_failureentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_pathentry_acls"
    ADD CONSTRAINT fileacl_id_refs_id_d961c5ce FOREIGN KEY (fileacl_id) REFERENCES public."Reporting_fileacl"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_group_groups"
    ADD CONSTRAINT from_group_id_refs_id_d0e3b53c FOREIGN KEY (from_group_id) REFERENCES public."Reporting_group"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_group_bundles"
    ADD CONSTRAINT group_id_refs_id_59de8f8d FOREIGN KEY (group_id) REFERENCES public."Reporting_group"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_groups"
    ADD CONSTRAINT group_id_refs_id_9b616860 FOREIGN KEY (group_id) REFERENCES public."Reporting_group"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT group_id_refs_id_f4b32aac FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_sefcontexts"
    ADD CONSTRAINT interaction_id_refs_id_078d07a6 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_posixgroups"
    ADD CONSTRAINT interaction_id_refs_id_0c32e3a0 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_seinterfaces"
    ADD CONSTRAINT interaction_id_refs_id_0e6aeee5 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_posixusers"
    ADD CONSTRAINT interaction_id_refs_id_184074bc FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_paths"
    ADD CONSTRAINT interaction_id_refs_id_28a89558 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_actions"
    ADD CONSTRAINT interaction_id_refs_id_2a0d5f58 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_selogins"
    ADD CONSTRAINT interaction_id_refs_id_3f8bce10 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_seports"
    ADD CONSTRAINT interaction_id_refs_id_4f43208b FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_sebooleans"
    ADD CONSTRAINT interaction_id_refs_id_51b18f25 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_packages"
    ADD CONSTRAINT interaction_id_refs_id_55d08625 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_failures"
    ADD CONSTRAINT interaction_id_refs_id_5b84770e FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_services"
    ADD CONSTRAINT interaction_id_refs_id_a423bfc2 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_semodules"
    ADD CONSTRAINT interaction_id_refs_id_ac7df21c FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_sepermissives"
    ADD CONSTRAINT interaction_id_refs_id_ae2c2e38 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_bundles"
    ADD CONSTRAINT interaction_id_refs_id_b76c73a8 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_seusers"
    ADD CONSTRAINT interaction_id_refs_id_ce464215 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_groups"
    ADD CONSTRAINT interaction_id_refs_id_cfc9ee28 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_senodes"
    ADD CONSTRAINT interaction_id_refs_id_ecc6c85d FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_performance"
    ADD CONSTRAINT interaction_id_refs_id_ed59d5a7 FOREIGN KEY (interaction_id) REFERENCES public."Reporting_interaction"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_packages"
    ADD CONSTRAINT packageentry_id_refs_id_249ce977 FOREIGN KEY (packageentry_id) REFERENCES public."Reporting_packageentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_paths"
    ADD CONSTRAINT pathentry_id_refs_id_8ec076ff FOREIGN KEY (pathentry_id) REFERENCES public."Reporting_pathentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_pathentry_acls"
    ADD CONSTRAINT pathentry_id_refs_id_c7101ce5 FOREIGN KEY (pathentry_id) REFERENCES public."Reporting_pathentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_linkentry"
    ADD CONSTRAINT pathentry_ptr_id_refs_id_7dedd282 FOREIGN KEY (pathentry_ptr_id) REFERENCES public."Reporting_pathentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_deviceentry"
    ADD CONSTRAINT pathentry_ptr_id_refs_id_ca81d6d8 FOREIGN KEY (pathentry_ptr_id) REFERENCES public."Reporting_pathentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_posixgroups"
    ADD CONSTRAINT posixgroupentry_id_refs_id_4e5ff77c FOREIGN KEY (posixgroupentry_id) REFERENCES public."Reporting_posixgroupentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_posixusers"
    ADD CONSTRAINT posixuserentry_id_refs_id_86809af7 FOREIGN KEY (posixuserentry_id) REFERENCES public."Reporting_posixuserentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction"
    ADD CONSTRAINT profile_id_refs_id_5207f4db FOREIGN KEY (profile_id) REFERENCES public."Reporting_group"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_sebooleans"
    ADD CONSTRAINT sebooleanentry_id_refs_id_717ec3c4 FOREIGN KEY (sebooleanentry_id) REFERENCES public."Reporting_sebooleanentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_sefcontexts"
    ADD CONSTRAINT sefcontextentry_id_refs_id_2eebe23a FOREIGN KEY (sefcontextentry_id) REFERENCES public."Reporting_sefcontextentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_seinterfaces"
    ADD CONSTRAINT seinterfaceentry_id_refs_id_f07760a2 FOREIGN KEY (seinterfaceentry_id) REFERENCES public."Reporting_seinterfaceentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_selogins"
    ADD CONSTRAINT seloginentry_id_refs_id_00a616a0 FOREIGN KEY (seloginentry_id) REFERENCES public."Reporting_seloginentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_semodules"
    ADD CONSTRAINT semoduleentry_id_refs_id_49aeaab8 FOREIGN KEY (semoduleentry_id) REFERENCES public."Reporting_semoduleentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_senodes"
    ADD CONSTRAINT senodeentry_id_refs_id_770f7977 FOREIGN KEY (senodeentry_id) REFERENCES public."Reporting_senodeentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_sepermissives"
    ADD CONSTRAINT sepermissiveentry_id_refs_id_6d9bb196 FOREIGN KEY (sepermissiveentry_id) REFERENCES public."Reporting_sepermissiveentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_seports"
    ADD CONSTRAINT seportentry_id_refs_id_ef8a4d72 FOREIGN KEY (seportentry_id) REFERENCES public."Reporting_seportentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_services"
    ADD CONSTRAINT serviceentry_id_refs_id_8e95e180 FOREIGN KEY (serviceentry_id) REFERENCES public."Reporting_serviceentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_interaction_seusers"
    ADD CONSTRAINT seuserentry_id_refs_id_4d65619f FOREIGN KEY (seuserentry_id) REFERENCES public."Reporting_seuserentry"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_pathentry"
    ADD CONSTRAINT target_perms_id_refs_id_09f18ba4 FOREIGN KEY (target_perms_id) REFERENCES public."Reporting_fileperms"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public."Reporting_group_groups"
    ADD CONSTRAINT to_group_id_refs_id_d0e3b53c FOREIGN KEY (to_group_id) REFERENCES public."Reporting_group"(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT user_id_refs_id_40c41112 FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT user_id_refs_id_4dc23c39 FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
