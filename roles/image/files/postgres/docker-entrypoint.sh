#!/usr/bin/env bash
# The entry point: with an empty PGDATA it makes a cluster, a database and runs the scripts of
# /docker-entrypoint-initdb.d; then the server becomes process 1. It keeps the documented
# behaviour of the official PostgreSQL image.
set -Eeuo pipefail

say() { printf 'docker-entrypoint: %s\n' "$*"; }
fail() {
    printf 'docker-entrypoint: error: %s\n' "$@" >&2
    exit 1
}

# file_env NAME [DEFAULT]: export NAME from itself, or from the file that NAME_FILE names.
file_env() {
    local name=$1 file_name="${1}_FILE" value=${2-}
    if [[ -n ${!name-} && -n ${!file_name-} ]]; then
        fail "both $name and $file_name are set: give only one of them."
    fi
    if [[ -n ${!name-} ]]; then
        value=${!name}
    elif [[ -n ${!file_name-} ]]; then
        [[ -r ${!file_name} ]] || fail "$file_name names ${!file_name}, which cannot be read."
        value=$(<"${!file_name}")
    fi
    export "$name=$value"
    unset "$file_name"
}

read_environment() {
    file_env POSTGRES_PASSWORD
    file_env POSTGRES_USER postgres
    file_env POSTGRES_DB "$POSTGRES_USER"
    file_env POSTGRES_INITDB_ARGS
    : "${POSTGRES_HOST_AUTH_METHOD:=}" "${POSTGRES_INITDB_WALDIR:=}"
}

# Options with which the server prints something and ends: no cluster is needed for them.
only_prints() {
    local argument
    for argument; do
        case $argument in
            -'?' | --help | -V | --version | --describe-config) return 0 ;;
        esac
    done
    return 1
}

own() { find "$1" ! -user postgres -exec chown --no-dereference postgres {} +; }

prepare_directories() {
    mkdir -p "$PGDATA"
    # With --user the directory may belong to someone else: initdb says so better than chmod.
    chmod 0700 "$PGDATA" || :
    mkdir -p /var/run/postgresql || :
    chmod 3775 /var/run/postgresql 2> /dev/null || :
    if [[ -n $POSTGRES_INITDB_WALDIR ]]; then
        mkdir -p "$POSTGRES_INITDB_WALDIR"
        chmod 0700 "$POSTGRES_INITDB_WALDIR" || :
    fi
    if ((EUID == 0)); then
        own "$PGDATA"
        own /var/run/postgresql
        if [[ -n $POSTGRES_INITDB_WALDIR ]]; then own "$POSTGRES_INITDB_WALDIR"; fi
    fi
}

require_password() {
    if [[ $POSTGRES_HOST_AUTH_METHOD == trust ]]; then
        say "warning: POSTGRES_HOST_AUTH_METHOD=trust lets anyone who reaches the port in, without a password."
    elif [[ -z $POSTGRES_PASSWORD ]]; then
        fail "the database is not initialised and no superuser password is given." \
            "Set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE to a non-empty value" \
            "(or POSTGRES_HOST_AUTH_METHOD=trust, which lets anyone in: not for production)."
    fi
}

# From 18 on the volume is /var/lib/postgresql. Data that lie where an older image, or another major
# version, kept them would be passed over in silence and an empty cluster served instead.
refuse_old_data() {
    ((PG_MAJOR >= 18)) || return 0
    local found=() candidate
    for candidate in /var/lib/postgresql /var/lib/postgresql/data /var/lib/postgresql/*/docker; do
        if [[ -s $candidate/PG_VERSION ]]; then found+=("$candidate"); fi
    done
    if mountpoint -q /var/lib/postgresql/data; then found+=("/var/lib/postgresql/data (a mount)"); fi
    ((${#found[@]} == 0)) || fail "there are data of another layout or major version in: ${found[*]}" \
        "From 18 on, mount the volume at /var/lib/postgresql and move the data with pg_upgrade or dump and restore."
}

initialise_cluster() {
    local wrapper arguments=(--username="$POSTGRES_USER")
    # initdb looks its uid up in passwd; with `--user` there may be no such entry.
    if ! getent passwd "$EUID" > /dev/null; then
        for wrapper in /usr/lib/*/libnss_wrapper.so; do
            export LD_PRELOAD=$wrapper NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
            NSS_WRAPPER_PASSWD=$(LD_PRELOAD='' mktemp)
            NSS_WRAPPER_GROUP=$(LD_PRELOAD='' mktemp)
            printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$EUID" "$(LD_PRELOAD='' id -g)" "$PGDATA" \
                > "$NSS_WRAPPER_PASSWD"
            printf 'postgres:x:%s:\n' "$(LD_PRELOAD='' id -g)" > "$NSS_WRAPPER_GROUP"
        done
    fi
    if [[ -n $POSTGRES_INITDB_WALDIR ]]; then arguments+=(--waldir="$POSTGRES_INITDB_WALDIR"); fi
    # POSTGRES_INITDB_ARGS is shell text by contract (it may hold quoted arguments), hence eval.
    if [[ -n $POSTGRES_PASSWORD ]]; then
        eval 'initdb "${arguments[@]}" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"
    else
        eval 'initdb "${arguments[@]}" '"$POSTGRES_INITDB_ARGS"
    fi
    if [[ -n ${NSS_WRAPPER_PASSWD-} ]]; then
        LD_PRELOAD='' rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
        unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
    fi
}

# allow_hosts ARGUMENT...: the server's own arguments decide the default method.
allow_hosts() {
    local method=$POSTGRES_HOST_AUTH_METHOD
    if [[ -z $method ]]; then method=$(postgres -C password_encryption "$@"); fi
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
}

# One string for pg_ctl, which hands it to sh.
quote() {
    local argument
    for argument; do printf "'%s' " "${argument//\'/\'\\\'\'}"; done
}

start_temporary_server() {
    # Only on the socket: nobody connects over TCP before everything is in place.
    NOTIFY_SOCKET='' PGUSER="${PGUSER:-$POSTGRES_USER}" pg_ctl --pgdata="$PGDATA" --wait \
        --options="$(quote "$@" -c listen_addresses= -p "${PGPORT:-5432}")" start
}

stop_temporary_server() {
    PGUSER="${PGUSER:-postgres}" pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
}

# docker_process_sql [PSQL ARGUMENT...]: for the scripts too, under the name that they know.
docker_process_sql() {
    local command=(psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --no-password --no-psqlrc)
    if [[ -n $POSTGRES_DB ]]; then command+=(--dbname="$POSTGRES_DB"); fi
    PGHOST='' PGHOSTADDR='' "${command[@]}" "$@"
}

create_database() {
    local exists
    exists=$(POSTGRES_DB='' docker_process_sql --dbname=postgres --set=db="$POSTGRES_DB" --tuples-only --no-align \
        <<< "SELECT 1 FROM pg_database WHERE datname = :'db';")
    if [[ -z $exists ]]; then
        POSTGRES_DB='' docker_process_sql --dbname=postgres --set=db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
    fi
}

run_scripts() {
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sh)
                if [[ -x $script ]]; then
                    say "running $script"
                    "$script"
                else
                    say "sourcing $script"
                    # Such scripts were written for a shell without `nounset`.
                    set +u
                    # shellcheck source=/dev/null
                    . "$script"
                    set -u
                fi
                ;;
            *.sql) say "running $script"; docker_process_sql --file="$script" ;;
            *.sql.gz) say "running $script"; gunzip -c "$script" | docker_process_sql ;;
            *.sql.xz) say "running $script"; xzcat "$script" | docker_process_sql ;;
            *.sql.zst) say "running $script"; zstd -dc "$script" | docker_process_sql ;;
            *) say "ignoring $script" ;;
        esac
    done
}

initialise() {
    require_password
    refuse_old_data
    # Found out now, not after the cluster is made.
    ls /docker-entrypoint-initdb.d/ > /dev/null
    shopt -s nullglob
    initialise_cluster
    allow_hosts "$@"
    export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
    start_temporary_server "$@"
    create_database
    run_scripts
    stop_temporary_server
    unset PGPASSWORD
    say "PostgreSQL init process complete; ready for start up."
}

main() {
    if (($# == 0)) || [[ $1 == -* ]]; then set -- postgres "$@"; fi
    if [[ $1 == postgres ]] && ! only_prints "$@"; then
        read_environment
        prepare_directories
        if ((EUID == 0)); then
            export HOME=/var/lib/postgresql
            exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
        fi
        if [[ -s $PGDATA/PG_VERSION ]]; then
            say "$PGDATA holds a database: nothing to initialise."
        else
            initialise "${@:2}"
        fi
    fi
    exec "$@"
}

# Sourced (a derived image that wants the functions): define them, run nothing.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
