//! nginx serving the same bytes as static files: about the most this machine can send.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

pub(super) fn command(program: &Path, folder: &Path, address: SocketAddr) -> Result<Command> {
    let config = folder.join("nginx.conf");
    std::fs::write(&config, self::config(folder, address))?;
    // Any answer counts as started; a registry answers here too.
    std::fs::create_dir_all(folder.join("data/v2"))?;
    let mut command = Command::new(program);
    command.arg("-c").arg(config).arg("-p").arg(folder).args(["-e", "stderr"]);
    Ok(command)
}

fn config(folder: &Path, address: SocketAddr) -> String {
    // Its workers give up root, and could then not read the folder.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let folder = folder.display();
    format!(
        "{user}
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=20000 inactive=1h;
    open_file_cache_valid 1h;
    default_type application/vnd.oci.image.manifest.v1+json;
    client_body_temp_path {folder}/tmp-body;
    proxy_temp_path {folder}/tmp-proxy;
    fastcgi_temp_path {folder}/tmp-fastcgi;
    uwsgi_temp_path {folder}/tmp-uwsgi;
    scgi_temp_path {folder}/tmp-scgi;
    server {{ listen {address}; root {folder}/data; }}
}}
"
    )
}
