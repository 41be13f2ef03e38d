//! The `berth` command: reads its arguments, calls what does the work, says how it went.
//!
//! Results go to stdout, everything else to stderr; what failed is one sentence and exit code 1.

mod args;
mod commands;
mod failure;
mod format;
mod layer_progress;
mod local;
mod output;
mod own_users;
mod units;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    set_up_the_allocator();
    if let Err(wrong) = own_users::enter_if_child() {
        output::note(format_args!("berth: starting: {wrong}"));
        return ExitCode::FAILURE;
    }
    // Wrong usage ends here, with clap's message and exit code 2.
    let args = args::Args::parse();
    if args.command.makes_files_of_others() {
        match own_users::run_inside(local::data_folder()) {
            Ok(None) => {}
            Ok(Some(code)) => return code,
            Err(wrong) => {
                output::note(format_args!("berth: starting: {wrong}"));
                return ExitCode::FAILURE;
            }
        }
    }
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
