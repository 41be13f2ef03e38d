//! The `berth` command: reads its arguments, calls what does the work, says how it went.
//!
//! Results go to stdout, everything else to stderr; what failed is one sentence and exit code 1.

mod args;
mod commands;
mod connection;
mod credentials;
mod failure;
mod login_check;
mod output;
mod registry_address;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    give_large_memory_back();
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

/// Makes glibc give memory of 4 MiB and more back when it is freed.
///
/// Checking a password takes 19 MiB. Left alone, glibc takes the first such block for a habit and keeps
/// as much in each thread that ever checked one: 450 MiB after 32 logins at once.
fn give_large_memory_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "mallopt has no safe form; no other thread runs yet")]
    // SAFETY: it only sets a number of the allocator's.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20);
    }
}
