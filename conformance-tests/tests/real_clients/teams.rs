//! Two teams, a CI key, a public repository and strangers, set up by the commands of the README's *Teams*, word
//! for word, and what docker, podman and skopeo then let each of them do.

use std::net::IpAddr;

use conformance_tests::engines::{Docker, Podman};
use conformance_tests::{Berth, Outcome, Program, binary, rootfs};

use crate::support::{Table, busybox_layout};

const README: &str = include_str!("../../../README.md");

/// A name and a password, or an access key's id and its secret.
type Login = (String, String);

/// What the README's commands leave behind.
struct Teams {
    table: Table,
    /// Of `team-a/`.
    alice: Login,
    /// Of `team-b/`.
    bob: Login,
    /// Below `team-a/ci/`.
    key: Login,
}

/// The commands of the README's section.
fn commands() -> Vec<&'static str> {
    let (_, section) = README.split_once("\n## Teams\n").expect("a section about teams");
    let (_, block) = section.split_once("```sh\n").expect("commands");
    let (block, _) = block.split_once("```").expect("the end of the commands");
    block.lines().collect()
}

/// Runs a line as a shell does that has `berth` on its PATH.
fn shell(table: &Table, line: &str) -> Outcome {
    let bin = table.home().join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).expect("making a folder");
        std::os::unix::fs::symlink(binary::berth(), bin.join("berth")).expect("a link to berth");
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH is set"));
    Program::new("sh").home(table.home()).env("PATH", path).args(["-c", line]).succeeds()
}

fn skopeo_push(table: &Table, login: &Login, name: &str) -> Program {
    let (layout, _) = busybox_layout(&table.home().join("layout"));
    let copy =
        Program::new("skopeo").home(&table.home().join("nobody")).args(["copy", "--dest-tls-verify=false"]);
    let copy = copy.arg(format!("--dest-creds={}:{}", login.0, login.1));
    copy.arg(format!("oci:{}:1", layout.folder().display()))
        .arg(format!("docker://{}", table.reference(name)))
}

fn skopeo_inspect(table: &Table, login: Option<&Login>, name: &str) -> Program {
    let inspect =
        Program::new("skopeo").home(&table.home().join("nobody")).args(["inspect", "--tls-verify=false"]);
    let inspect = match login {
        Some((user, password)) => inspect.arg(format!("--creds={user}:{password}")),
        None => inspect.arg("--no-creds"),
    };
    inspect.arg(format!("docker://{}", table.reference(name)))
}

/// Runs the eight commands; each team has pushed `app:1` before the last one makes `team-a/app` public.
fn set_up() -> Teams {
    let table = Table::new();
    let commands = commands();
    let [rest @ .., public] = commands.as_slice() else { panic!("no commands") };
    let (mut passwords, mut key) = (Vec::new(), None);
    for line in rest {
        let said = shell(&table, line);
        if let Some(named) = line.strip_prefix("berth admin user add ") {
            let user = named.split_whitespace().next().expect("a name");
            passwords.push((user.to_owned(), said.line().to_owned()));
        }
        if line.starts_with("berth admin key create ") {
            let (id, secret) = said.line().split_once('\n').expect("an id and a secret");
            key = Some((id.to_owned(), secret.to_owned()));
        }
    }
    let login = |user: &str| passwords.iter().find(|(name, _)| name == user).expect("a user").clone();
    let (alice, bob) = (login("alice"), login("bob"));
    skopeo_push(&table, &alice, "team-a/app:1").succeeds();
    skopeo_push(&table, &alice, "team-a/private:1").succeeds();
    skopeo_push(&table, &bob, "team-b/app:1").succeeds();
    shell(&table, public);
    Teams { table, alice, bob, key: key.expect("a key") }
}

fn docker_of(teams: &Teams, (user, password): &Login) -> Docker {
    let docker = Docker::start();
    docker.login(&teams.table.berth.host(), user, password).succeeds();
    docker
}

fn docker_push(teams: &Teams, docker: &Docker, name: &str) -> Program {
    let image = teams.table.reference(name);
    docker.build(&image, &[rootfs::busybox()]);
    docker.call("push").arg(image)
}

fn docker_pull(teams: &Teams, docker: &Docker, name: &str) -> Program {
    docker.call("pull").arg(teams.table.reference(name))
}

#[test]
fn the_readme_sets_up_teams_in_eight_commands() {
    assert_eq!(commands().len(), 8);
    assert!(commands().iter().all(|line| line.starts_with("berth admin ")), "{:#?}", commands());
}

#[test]
fn docker_pushes_and_pulls_what_is_of_its_users_team_and_nothing_else() {
    let teams = set_up();
    for (login, own, other) in [(&teams.alice, "team-a", "team-b"), (&teams.bob, "team-b", "team-a")] {
        let docker = docker_of(&teams, login);
        docker_push(&teams, &docker, &format!("{own}/docker:1")).succeeds();
        docker_pull(&teams, &docker, &format!("{own}/docker:1")).succeeds();
        docker_push(&teams, &docker, &format!("{other}/docker:2")).fails().says("denied");
        docker_pull(&teams, &docker, &format!("{other}/docker:1")).fails().says("denied");
    }
}

#[test]
fn podman_pushes_and_pulls_what_is_of_its_users_team_and_nothing_else() {
    let teams = set_up();
    for ((user, password), own, other) in
        [(&teams.alice, "team-a", "team-b"), (&teams.bob, "team-b", "team-a")]
    {
        let podman = Podman::start();
        podman.login(&teams.table.berth.host(), user, password).succeeds();
        let call = |call: &str, name: String| {
            podman.call(&format!("{call} --tls-verify=false")).arg(teams.table.reference(&name))
        };
        for team in [own, other] {
            let image = teams.table.reference(&format!("{team}/podman:1"));
            podman.call("import --quiet").arg(rootfs::busybox()).arg(image).succeeds();
        }
        call("push", format!("{own}/podman:1")).succeeds();
        call("push", format!("{other}/podman:1")).fails();
        call("pull", format!("{own}/podman:1")).succeeds();
        call("pull", format!("{other}/private:1")).fails();
    }
}

#[test]
fn skopeo_pushes_and_pulls_what_is_of_its_users_team_and_nothing_else() {
    let teams = set_up();
    let Teams { table, alice, bob, .. } = &teams;
    for (login, own, other) in [(alice, "team-a", "team-b/app:1"), (bob, "team-b", "team-a/private:1")] {
        skopeo_push(table, login, &format!("{own}/skopeo:1")).succeeds();
        skopeo_inspect(table, Some(login), &format!("{own}/skopeo:1")).succeeds();
        skopeo_push(table, login, other).fails();
        skopeo_inspect(table, Some(login), other).fails();
    }
}

#[test]
fn docker_with_the_ci_key_pushes_below_its_prefix_and_nowhere_else() {
    let teams = set_up();
    let docker = docker_of(&teams, &teams.key);
    docker_push(&teams, &docker, "team-a/ci/tool:1").succeeds();
    docker_pull(&teams, &docker, "team-a/ci/tool:1").succeeds();
    for name in ["team-a/app:2", "team-a/private:2", "team-a/cix:1", "team-b/app:2"] {
        docker_push(&teams, &docker, name).fails().says("denied");
    }
    docker_pull(&teams, &docker, "team-a/private:1").fails().says("denied");
}

#[test]
fn docker_without_a_login_pulls_the_public_repository_and_nothing_else() {
    let teams = set_up();
    let docker = Docker::start();
    docker_pull(&teams, &docker, "team-a/app:1").succeeds();
    for name in ["team-a/private:1", "team-b/app:1", "team-b/never:1"] {
        docker_pull(&teams, &docker, name).fails().says("denied");
    }
    docker_push(&teams, &docker, "team-a/app:3").fails().says("unauthorized");
}

#[test]
fn a_stranger_with_a_login_pulls_the_public_repository_and_nothing_else() {
    let teams = set_up();
    let password = shell(&teams.table, "berth admin user add eve").line().to_owned();
    let docker = docker_of(&teams, &("eve".to_owned(), password));
    docker_pull(&teams, &docker, "team-a/app:1").succeeds();
    for name in ["team-a/private:1", "team-b/app:1", "team-b/never:1"] {
        docker_pull(&teams, &docker, name).fails().says("denied");
    }
    docker_push(&teams, &docker, "team-a/app:3").fails().says("denied");
}

#[test]
fn explain_says_why_one_may_and_another_may_not() {
    let teams = set_up();
    let explain =
        |user: &str| shell(&teams.table, &format!("berth admin explain {user} ecr:PutImage team-a/app"));
    explain("alice").says("allowed").says("developer");
    explain("bob").says("denied");
    explain("ci").says("denied");
}

/// The status of a login at `/v2/`, made from this address.
fn status_from(berth: &Berth, address: IpAddr, (user, password): &Login) -> u16 {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder().local_address(address).no_proxy().build().expect("a client");
        let request = client.get(format!("{}/v2/", berth.url())).basic_auth(user, Some(password));
        request.send().await.expect("an answer").status().as_u16()
    })
}

#[test]
fn who_guesses_with_docker_is_told_to_wait_and_the_user_logs_in_from_elsewhere() {
    let teams = set_up();
    let docker = Docker::start();
    let guess = || docker.login(&teams.table.berth.host(), "alice", "a guess").fails();
    let slowed_down = |outcome: &Outcome| outcome.stderr.to_lowercase().contains("too many");
    let told = (0..30).map(|_| guess()).find(slowed_down).expect("guesses are slowed down");
    told.says("too many wrong logins; wait").says("try again");
    let here = "127.0.0.1".parse().expect("an address");
    let elsewhere = "127.0.0.2".parse().expect("an address");
    assert_eq!(status_from(&teams.table.berth, here, &("alice".to_owned(), "a guess".to_owned())), 429);
    assert_eq!(status_from(&teams.table.berth, elsewhere, &teams.alice), 200);
    docker.login(&teams.table.berth.host(), &teams.bob.0, &teams.bob.1).succeeds();
}
