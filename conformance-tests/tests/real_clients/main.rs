//! What other people's clients do with the built binary. They are the programs that people have: Debian's
//! docker, podman, buildah and skopeo, and today's crane, oras, regctl and BuildKit.

mod buildah;
mod buildkit;
mod crane;
mod docker;
mod everyone;
mod images;
mod oras;
mod podman;
mod regctl;
mod rights;
mod skopeo;
mod support;
mod teams;
mod tls;
