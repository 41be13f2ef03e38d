# A PostgreSQL in a folder of its own, for whoever holds this script's standard input open.
#   postgres.sh BIN PORT
# Where TLS_CERTIFICATE and TLS_KEY hold PEM, it speaks TLS.
set -eu
bin=$1 port=$2
folder=$(mktemp -d "${TMPDIR:-/tmp}/berth-postgres-XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$bin/initdb" --no-sync --auth=trust --username=berth --encoding=UTF8 --locale=C.UTF-8 -D data >initdb.log 2>&1 ||
  { cat initdb.log >&2; exit 1; }
# The folder does not outlive the machine: only processes may crash.
options="-c port=$port -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=400 -c shared_buffers=64MB \
  -c unix_socket_directories='$folder'"
if [ -n "${TLS_CERTIFICATE-}" ]; then
  printf '%s' "$TLS_CERTIFICATE" >server.crt
  (umask 077 && printf '%s' "$TLS_KEY" >server.key)
  options="$options -c ssl=on -c ssl_cert_file='$folder/server.crt' -c ssl_key_file='$folder/server.key'"
fi
start() { "$bin/pg_ctl" -D data -w -t 60 -l server.log -o "$options" start >>start.log 2>&1 </dev/null; }
start || { cat start.log server.log >&2; exit 1; }
trap '"$bin/pg_ctl" -D data -m immediate stop >/dev/null 2>&1 || true; cd /; rm -rf "$folder"' EXIT
echo ready
# One command a line; the end when nobody is left to give any.
while read -r command; do
  case $command in
    crash) "$bin/pg_ctl" -D data -w -m immediate restart >>start.log 2>&1 </dev/null && echo done ;;
    stop) "$bin/pg_ctl" -D data -w -m immediate stop >>start.log 2>&1 </dev/null && echo done ;;
    start) start && echo done ;;
    sql\ *) "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U berth -d postgres -c "${command#sql }" >&2 && echo done ;;
  esac || echo failed
done
