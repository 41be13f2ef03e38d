//! The `berth` command: reads its arguments, calls what does the work, says how it went.
//!
//! Results go to stdout, everything else to stderr; what failed is one sentence and exit code 1.

mod args;
mod build_input;
mod build_output;
mod build_progress;
mod commands;
mod configuration;
mod containers;
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
    if let Some(code) = berth_runner::branch_off(std::env::args_os()) {
        return code;
    }
    set_up_the_allocator();
    if let Err(wrong) = own_users::enter_if_child() {
        output::note(format_args!("berth: starting: {wrong}"));
        return ExitCode::FAILURE;
    }
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(usage) => return wrong_usage(&usage),
    };
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
        Ok(code) => code,
        Err(failure) => {
            output::note(format_args!("berth: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}

/// Prints what clap says, and ends as docker's commands do: those that run something must not be mistaken
/// for what they run.
fn wrong_usage(usage: &clap::Error) -> ExitCode {
    // Nobody is left to tell when this fails.
    let _ = usage.print();
    let command = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    match (usage.use_stderr(), command.as_deref()) {
        (false, _) => ExitCode::SUCCESS,
        (true, Some("run" | "create" | "start" | "exec")) => ExitCode::from(containers::OWN_FAILURE),
        (true, _) => ExitCode::from(2),
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
