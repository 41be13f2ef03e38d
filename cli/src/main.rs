//! The `berth` command: reads its arguments, calls what does the work, says how it went.
//!
//! Results go to stdout, everything else to stderr; what failed is one sentence and exit code 1.

mod args;
mod commands;
mod configuration;
mod connection;
mod credentials;
mod failure;
mod login_check;
mod output;
mod registry_address;
mod units;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    set_up_the_allocator();
    // Wrong usage ends here, with clap's message and exit code 2.
    let args = args::Args::parse();
    match commands::run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::note(format_args!("berth: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Makes glibc give memory of 4 MiB and more back when it is freed, and keep smaller pieces.
///
/// Checking a password takes 19 MiB. Left alone, glibc takes the first such block for a habit and keeps
/// as much in each thread that ever checked one: 450 MiB after 32 logins at once. And a receiving buffer that is
/// given back and faulted in anew for each piece of an upload costs a twentieth of its time.
fn set_up_the_allocator() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "mallopt has no safe form; no other thread runs yet")]
    // SAFETY: they only set numbers of the allocator's.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 20);
    }
}
