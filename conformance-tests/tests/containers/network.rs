//! Networks of bridges, each test in a network namespace of its own, which is the machine's for it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use conformance_tests::{Program, binary};
use rustix::thread::LinkNameSpaceType;

use crate::machine::{IMAGE, Machine};

/// The host as others see it, and another that sees it.
const HOST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

const PATIENCE: Duration = Duration::from_secs(20);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A machine whose network is its own, with another machine beside it.
struct Networked {
    machine: Machine,
    name: String,
}

impl Networked {
    fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bt-{}-{number}", std::process::id());
        let networked = Self { machine: Machine::new(), name };
        let (host, other) = (networked.name.clone(), networked.other());
        let (here, there) = (format!("{HOST}/24"), format!("{OTHER}/24"));
        for line in [
            format!("netns add {host}"),
            format!("netns add {other}"),
            format!("-n {host} link set lo up"),
            format!("-n {host} link add wan0 type veth peer name wan0 netns {other}"),
            format!("-n {host} address add {here} dev wan0"),
            format!("-n {other} address add {there} dev wan0"),
            format!("-n {host} link set wan0 up"),
            format!("-n {other} link set wan0 up"),
        ] {
            ip(&line).succeeds();
        }
        networked
    }

    fn other(&self) -> String {
        format!("{}-o", self.name)
    }

    /// A program in its network; `ip netns exec` would hide the control groups, too.
    fn program(&self, program: impl AsRef<Path>) -> Program {
        Program::new("nsenter").arg(format!("--net=/run/netns/{}", self.name)).arg(program.as_ref())
    }

    /// `berth …` on that machine.
    fn call(&self, arguments: &str) -> Program {
        let program = self.machine.at_home(self.program(binary::berth()));
        program.args(arguments.split_whitespace())
    }

    fn sleeper(&self, name: &str, flags: &str) {
        let run = format!("run -d --name {name} {flags} {IMAGE} sh -c");
        self.call(&run).arg("trap 'exit 0' TERM; while true; do sleep 0.1; done").succeeds();
    }

    fn inspect(&self, name: &str) -> serde_json::Value {
        self.call(&format!("inspect {name}")).succeeds().json()[0].clone()
    }

    /// Does something in the network of a container.
    fn within<T: Send>(&self, container: &str, act: impl FnOnce() -> T + Send) -> T {
        let pid = self.inspect(container)["State"]["Pid"].clone();
        within(format!("/proc/{pid}/ns/net").into(), act)
    }

    fn on_the_host<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        within(format!("/run/netns/{}", self.name).into(), act)
    }

    fn elsewhere<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        within(format!("/run/netns/{}", self.other()).into(), act)
    }

    /// Devices, rules of both kinds, and addresses.
    fn network(&self) -> String {
        let shown =
            |program: &str, arguments: &[&str]| self.program(program).args(arguments).succeeds().stdout;
        [
            shown("ip", &["-o", "-4", "address"]),
            shown("ip", &["-o", "link"]).lines().filter_map(|line| line.split(": ").nth(1)).collect(),
            shown("nft", &["-s", "list", "ruleset"]),
            shown("iptables", &["-S"]),
        ]
        .join("\n")
    }
}

impl Drop for Networked {
    fn drop(&mut self) {
        for name in [self.name.clone(), self.other()] {
            // A test that failed early has none.
            let _ = ip(&format!("netns delete {name}")).run();
        }
    }
}

fn ip(arguments: &str) -> Program {
    Program::new("ip").args(arguments.split_whitespace())
}

/// Does something in another network namespace, in a thread of its own.
fn within<T: Send>(namespace: PathBuf, act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let namespace = File::open(&namespace).expect("opening a network namespace");
            let kind = Some(LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(namespace.as_fd(), kind).expect("entering it");
            act()
        });
        thread.join().expect("the thread ends")
    })
}

/// What a server that listens at `at` tells: the address of who asks.
fn asked(at: SocketAddr) -> std::io::Result<IpAddr> {
    let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(3))?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    text.parse().map_err(|_| ErrorKind::InvalidData.into())
}

/// Tells `times` clients of a listener where they come from.
fn tell(listener: &TcpListener, times: usize) {
    listener.set_nonblocking(true).expect("a listener that can be asked");
    let deadline = Instant::now() + PATIENCE;
    for _ in 0..times {
        let (mut stream, from) = loop {
            match listener.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(Instant::now() < deadline, "nobody asks");
                    std::thread::sleep(Duration::from_millis(5));
                }
                accepted => break accepted.expect("accepting"),
            }
        };
        stream.write_all(from.ip().to_string().as_bytes()).expect("answering");
    }
}

fn port_of(networked: &Networked, container: &str, port: &str) -> u16 {
    let line = networked.call(&format!("port {container} {port}")).succeeds();
    line.line().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

#[test]
fn a_published_port_answers_on_the_hosts_loopback_and_elsewhere_and_knows_who_asks() {
    let networked = Networked::new();
    networked.sleeper("web", "-p 80");
    let port = port_of(&networked, "web", "80");
    let listener = networked.within("web", || TcpListener::bind("0.0.0.0:80").expect("listening"));
    std::thread::scope(|scope| {
        scope.spawn(|| tell(&listener, 3));
        let at = |address: Ipv4Addr| SocketAddr::from((address, port));
        let gateway =
            networked.inspect("web")["NetworkSettings"]["Gateway"].as_str().unwrap_or("").to_owned();
        let here = networked.on_the_host(|| asked(at(Ipv4Addr::LOCALHOST))).expect("an answer on 127.0.0.1");
        assert_eq!(here.to_string(), gateway);
        let there = networked.elsewhere(|| asked(at(HOST))).expect("an answer elsewhere");
        assert_eq!(there, IpAddr::V4(OTHER));
        networked.on_the_host(|| asked(at(HOST))).expect("an answer on the host's own address");
    });
    networked.call("stop web").succeeds();
    networked.on_the_host(|| asked(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))).unwrap_err();
}

#[test]
fn a_port_of_one_address_answers_there_alone_and_udp_as_tcp() {
    let networked = Networked::new();
    networked.sleeper("names", "-p 127.0.0.1:5353:53/udp -p 127.0.0.1:8080:80");
    let ports = networked.call("port names").succeeds();
    assert_eq!(ports.stdout, "53/udp -> 127.0.0.1:5353\n80/tcp -> 127.0.0.1:8080\n");
    let server = networked.within("names", || UdpSocket::bind("0.0.0.0:53").expect("listening"));
    server.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let answered = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut bytes = [0; 99];
            let (length, from) = server.recv_from(&mut bytes).expect("a question");
            server.send_to(&bytes[..length], from).expect("answering");
        });
        networked.on_the_host(|| {
            let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            client.set_read_timeout(Some(PATIENCE)).expect("a deadline");
            client.send_to(b"who?", "127.0.0.1:5353").expect("asking");
            let mut bytes = [0; 99];
            let length = client.recv(&mut bytes).expect("an answer");
            bytes[..length].to_vec()
        })
    });
    assert_eq!(answered, b"who?");
    let _listener = networked.within("names", || TcpListener::bind("0.0.0.0:80").expect("listening"));
    networked.elsewhere(|| asked(SocketAddr::from((HOST, 8080)))).unwrap_err();
}

#[test]
fn a_port_in_use_is_125_with_a_sentence_and_nothing_is_left() {
    let networked = Networked::new();
    let before = networked.network();
    let _listener = networked.on_the_host(|| TcpListener::bind("0.0.0.0:8099").expect("listening"));
    let run = networked.call(&format!("run --rm -p 8099:80 {IMAGE} true")).run();
    assert_eq!(run.code(), Some(125), "{run}");
    run.says("publishing port 0.0.0.0:8099/tcp: it is in use");
    assert_eq!(networked.network(), before);
    assert_eq!(networked.call("ps -aq").succeeds().stdout, "");
}

#[test]
fn containers_of_a_network_know_each_other_by_name_and_those_of_others_are_out_of_reach() {
    let networked = Networked::new();
    networked.call("network create back").succeeds();
    networked.call("network create front").succeeds();
    networked.sleeper("db", "--network back --network-alias database");
    networked.sleeper("app", "--network back");
    networked.sleeper("other", "--network front");
    let ping = |from: &str, to: &str| networked.call(&format!("exec {from} ping -c 1 -W 3 {to}"));
    ping("app", "db").succeeds();
    ping("app", "database").succeeds();
    // Who came first learns of who came later.
    ping("db", "app").succeeds();
    ping("other", "db").fails();
    let address = networked.inspect("db")["NetworkSettings"]["IPAddress"].as_str().unwrap_or("").to_owned();
    ping("app", &address).succeeds();
    ping("other", &address).fails();
    networked.call("stop -t 1 db").succeeds();
    let hosts = networked.call("exec app cat /etc/hosts").succeeds();
    assert!(!hosts.stdout.contains("database"), "{hosts}");
    networked.call("network rm back").fails().says("the container");
    networked.call("network rm bridge").fails().says("always");
}

#[test]
fn what_is_outside_is_reached_unless_the_network_is_internal() {
    let networked = Networked::new();
    let listener = networked.elsewhere(|| TcpListener::bind((OTHER, 80)).expect("listening"));
    networked.call("network create --internal --subnet 10.123.4.0/24 inside").succeeds();
    networked.sleeper("free", "");
    networked.sleeper("shut", "--network inside");
    std::thread::scope(|scope| {
        scope.spawn(|| tell(&listener, 1));
        let from = networked.within("free", || asked(SocketAddr::from((OTHER, 80)))).expect("an answer");
        assert_eq!(from, IpAddr::V4(HOST), "it has the host's address");
    });
    networked.within("shut", || asked(SocketAddr::from((OTHER, 80)))).unwrap_err();
    assert_eq!(networked.inspect("shut")["NetworkSettings"]["IPAddress"], "10.123.4.2");
}

#[test]
fn nothing_is_left_when_the_last_has_ended_or_was_killed_with_its_monitor() {
    let networked = Networked::new();
    let before = networked.network();
    networked.sleeper("one", "-p 80");
    networked.sleeper("two", "-p 80");
    assert_ne!(networked.network(), before);
    networked.call("stop one").succeeds();
    let pid = networked.inspect("two")["State"]["Pid"].as_i64().expect("a process");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("reading a process");
    let monitor = status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("a parent").trim();
    Program::new("kill").args(["-KILL", monitor]).succeeds();
    let listed = networked.call("ps -a").succeeds();
    assert!(listed.stdout.contains("Exited (137)"), "{listed}");
    assert_eq!(networked.network(), before);
}

#[test]
fn a_firewall_that_drops_what_is_forwarded_lets_containers_pass_and_is_left_as_it_was() {
    for docker in [true, false] {
        let networked = Networked::new();
        let iptables =
            |arguments: &str| networked.program("iptables").args(arguments.split_whitespace()).succeeds();
        iptables("-P FORWARD DROP");
        if docker {
            iptables("-N DOCKER-USER");
            iptables("-A DOCKER-USER -j RETURN");
            iptables("-I FORWARD -j DOCKER-USER");
        }
        let before = networked.network();
        let listener = networked.elsewhere(|| TcpListener::bind((OTHER, 80)).expect("listening"));
        networked.sleeper("free", "");
        std::thread::scope(|scope| {
            scope.spawn(|| tell(&listener, 1));
            networked.within("free", || asked(SocketAddr::from((OTHER, 80)))).expect("an answer");
        });
        networked.call("rm -f free").succeeds();
        assert_eq!(networked.network(), before);
    }
}

#[test]
fn networks_are_made_listed_shown_and_removed() {
    let networked = Networked::new();
    networked.call("network create --label tier=back back").succeeds();
    networked.call("network create back").fails().says("already");
    networked.call("network create host").fails();
    let listed = networked.call("network ls --format {{.Name}}").succeeds();
    assert_eq!(listed.stdout, "back\nbridge\n");
    networked.sleeper("db", "--network back");
    let shown = networked.call("network inspect back").succeeds().json();
    let inside = shown[0]["Containers"].as_object().expect("containers");
    assert_eq!(inside.values().next().map(|own| own["Name"].clone()), Some("db".into()));
    assert_eq!(shown[0]["Labels"]["tier"], "back");
    networked.call("rm -f db").succeeds();
    networked.call("network rm back").succeeds();
    let run = networked.call(&format!("run --rm --network back {IMAGE} true")).run();
    assert_eq!(run.code(), Some(125), "{run}");
    run.says("there is no network 'back'");
}
