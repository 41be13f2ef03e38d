//! Beside docker, with the same image in the same run: what a container's processes may do is the same.

use conformance_tests::engines::Docker;

use crate::machine::{IMAGE, Machine};

struct Both {
    machine: Machine,
    docker: Docker,
}

impl Both {
    fn new() -> Self {
        let both = Self { machine: Machine::new(), docker: Docker::start() };
        let archive = both.machine.folder().join("image.tar");
        both.machine.call("save -o").arg(&archive).arg(IMAGE).succeeds();
        both.docker.call("load -i").arg(&archive).succeeds();
        both
    }

    /// What `script` prints in a container of each.
    fn run(&self, flags: &str, script: &str) -> [String; 2] {
        let own = self.machine.call("run --rm --network none").args(flags.split_whitespace());
        let dockers = self.docker.call("run --rm --network none").args(flags.split_whitespace());
        [own, dockers].map(|program| program.args([IMAGE, "sh", "-c", script]).succeeds().stdout)
    }
}

#[test]
fn capabilities_groups_filters_and_privileges_are_dockers() {
    let both = Both::new();
    let script = "grep -E '^(Cap|Groups|NoNewPrivs|Seccomp:|Uid|Gid)' /proc/self/status";
    for flags in [
        "",
        "-u app",
        "-u app:adm --group-add wheel",
        "-u 4242",
        "--cap-drop ALL --cap-add CHOWN",
        "--cap-add NET_ADMIN -u app",
        "--security-opt no-new-privileges",
    ] {
        let [own, dockers] = both.run(flags, script);
        assert_eq!(own, dockers, "{flags}");
    }
}

#[test]
fn environment_and_working_folder_are_dockers() {
    let both = Both::new();
    let script = "env | grep -v -E '^(HOSTNAME|SHLVL|PWD)='; pwd; umask; ulimit -c";
    for flags in ["", "-u app -w /made -e A=b -e PATH=/bin", "-e HOME=/elsewhere"] {
        let [own, dockers] = both.run(flags, script);
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&own), sorted(&dockers), "{flags}");
    }
}

#[test]
fn whatever_docker_masks_or_protects_is_so_here() {
    let both = Both::new();
    let script = "while read -r _ place _ options _; do \
                      case $place in /proc/*|/sys/*) echo $place ${options%%,*};; esac; \
                  done < /proc/self/mounts";
    let [own, dockers] = both.run("", script);
    let missing: Vec<&str> = dockers
        .lines()
        .filter(|line| !line.starts_with("/sys/fs/cgroup"))
        .filter(|line| !own.lines().any(|own| own.split(' ').next() == line.split(' ').next()))
        .collect();
    assert!(missing.is_empty(), "{missing:?} in\n{own}");
    let [own, dockers] =
        both.run("", "ls -l /dev | while read -r mode _ rest; do echo ${mode} ${rest##* }; done");
    assert_eq!(own, dockers);
}
