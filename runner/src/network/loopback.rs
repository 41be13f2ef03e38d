//! The loopback device of a new network namespace, which comes up only when it is told to.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::LinkNameSpaceType;

/// Brings `lo` up in the network namespace of the process `pid`, which the caller enters meanwhile.
pub(crate) fn bring_up(pid: i32) -> Result<(), Errno> {
    let open =
        |path: &str| File::open(path).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO));
    let (own, other) = (open("/proc/self/ns/net")?, open(&format!("/proc/{pid}/ns/net"))?);
    let enter = |namespace: &File| {
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
    };
    enter(&other)?;
    let result = up();
    enter(&own)?;
    result
}

fn up() -> Result<(), Errno> {
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    #[expect(unsafe_code, reason = "a device is brought up by an ioctl that has no safe form")]
    // SAFETY: `ifreq` may be all zeroes; it has the name and the flags, which is what SIOCSIFFLAGS reads.
    let result = unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (place, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
            *place = byte.cast_signed();
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request)
    };
    if result == 0 { Ok(()) } else { Err(crate::last_error()) }
}
