//! Two servers of which Patroni makes one the primary, and the etcd by which its two agents agree.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::binaries::binary;
use crate::cluster::free_port;
use crate::directory;
use crate::process::{as_server, children, run, signal, spawn, wait_until_gone};
use crate::session::{sql, try_sql};

/// How long it may take until one leads and the other follows: two `initdb`s by way of Python, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// How long killed processes may take to be gone.
const GONE: Duration = Duration::from_secs(20);

const AGENT: &str = "/usr/bin/patroni";
const CONTROL: &str = "/usr/bin/patronictl";
const ETCD: &str = "/usr/bin/etcd";

/// Ends an agent (its number is `$1`, its directory `$2`) and then its server, hung or not, once its input ends: when this process does, however it
/// ends. Both numbers may be someone else's by now.
const GUARD: &str = "trap '' INT TERM HUP; cat >/dev/null; cd /proc
    grep -qs \"$2/yml\" \"$1/cmdline\" && kill -KILL \"$1\"
    read -r server <\"$2/data/postmaster.pid\" && [ \"$(readlink \"$server/cwd\")\" = \"$2/data\" ] || exit
    kill -CONT \"$server\" $(cat \"$server/task/$server/children\")
    kill -QUIT \"$server\"";

/// Two servers under Patroni, asynchronous, with `failsafe_mode` and the shortest lease that Patroni allows: 20 seconds. All of it ends when this is
/// dropped.
#[derive(Debug)]
pub struct Patroni {
    // Agents end before the etcd that they ask.
    nodes: [Node; 2],
    etcd: Etcd,
}

/// One machine of it: an agent and its server.
#[derive(Debug)]
pub struct Node {
    name: &'static str,
    directory: PathBuf,
    port: u16,
    agent: Mutex<Child>,
    guard: Child,
}

#[derive(Debug)]
struct Etcd {
    directory: PathBuf,
    port: u16,
    peer_port: u16,
    process: Mutex<Child>,
}

impl Patroni {
    /// New ones; returns when one leads and the other follows it.
    ///
    /// # Panics
    /// When that doesn't come about, with what they logged.
    #[must_use]
    pub fn start() -> Self {
        let etcd = Etcd::start();
        let nodes = [Node::start("first", etcd.port), Node::start("second", etcd.port)];
        let patroni = Self { nodes, etcd };
        let end = Instant::now() + START;
        while !patroni.is_whole() {
            assert!(
                Instant::now() < end,
                "Patroni (install patroni) does not make one lead and the other follow: {}",
                patroni.log()
            );
            thread::sleep(Duration::from_millis(50));
        }
        patroni
    }

    /// Whether one leads and the other follows.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let [first, second] = &self.nodes;
        (first.leads() && second.follows()) || (second.leads() && first.follows())
    }

    /// The one that leads, and the other.
    ///
    /// # Panics
    /// When none leads.
    #[must_use]
    pub fn roles(&self) -> (&Node, &Node) {
        let [first, second] = &self.nodes;
        match (first.leads(), second.leads()) {
            (true, _) => (first, second),
            (false, true) => (second, first),
            (false, false) => panic!("nobody leads: {}", self.log()),
        }
    }

    /// The address of a database, with both servers, as the superuser.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        let [first, second] = self.nodes.each_ref().map(|node| node.port);
        format!("postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/{database}?sslmode=disable")
    }

    /// A new database with nothing in it, on the one that leads.
    ///
    /// # Panics
    /// When none does.
    pub fn create(&self, database: &str) {
        sql(&self.roles().0.url_of("postgres"), &format!("create database {database} template template0"));
    }

    /// Lets the other lead, as an operator would.
    ///
    /// # Panics
    /// When Patroni says that it didn't come about.
    pub fn switch_over(&self) {
        let mut control = as_server(Path::new(CONTROL));
        control.arg("-c").arg(self.nodes[0].directory.join("yml")).args(["switchover", "--force"]);
        let said = run(control);
        assert!(said.contains("Successfully switched over"), "{said}");
    }

    /// Ends the etcd, as a crash of its machine would.
    pub fn kill_etcd(&self) {
        kill(&self.etcd.process);
    }

    /// Starts it again, with what it had.
    pub fn start_etcd(&self) {
        self.etcd.launch_again();
    }

    /// What all of them logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        let [first, second] = &self.nodes;
        format!("first:\n{}\nsecond:\n{}\netcd:\n{}", first.log(), second.log(), log_in(&self.etcd.directory))
    }
}

impl Node {
    fn start(name: &'static str, etcd: u16) -> Self {
        let (directory, port, door) = (directory::make(), free_port(), free_port());
        let bin = binary("postgres");
        let bin = bin.parent().unwrap_or(&bin).display().to_string();
        let place = directory.display();
        // By etcd's older interface: by the newer one, Patroni before 3.0.3 lets a leader that hung take its lock back from its successor
        // (patroni/patroni pull request 2689), and the servers go back to the old timeline. Debian 12 has 3.0.2.
        let settings = format!(
            "scope: throwaway\nname: {name}\n\
             etcd: {{ host: '127.0.0.1:{etcd}' }}\n\
             restapi: {{ listen: '127.0.0.1:{door}', connect_address: '127.0.0.1:{door}' }}\n\
             bootstrap:\n\
             \x20 initdb: [ {{ encoding: UTF8 }}, {{ locale: C }}, {{ auth: trust }}, no-sync ]\n\
             \x20 dcs:\n\
             \x20   ttl: 20\n\
             \x20   loop_wait: 2\n\
             \x20   retry_timeout: 5\n\
             \x20   failsafe_mode: true\n\
             \x20   postgresql: {{ use_pg_rewind: true }}\n\
             postgresql:\n\
             \x20 listen: '127.0.0.1:{port}'\n\
             \x20 connect_address: '127.0.0.1:{port}'\n\
             \x20 data_dir: {place}/data\n\
             \x20 bin_dir: {bin}\n\
             \x20 pgpass: {place}/pgpass\n\
             \x20 authentication: {{ superuser: {{ username: postgres }}, replication: {{ username: postgres }} }}\n\
             \x20 pg_hba: [ 'local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust' ]\n\
             \x20 parameters: {{ unix_socket_directories: {place}, fsync: 'off', shared_buffers: 16MB, logging_collector: 'off' }}\n"
        );
        let path = directory.join("yml");
        std::fs::write(&path, settings).unwrap_or_else(|error| panic!("{} can't be written: {error}", path.display()));
        directory::give(&path);
        let agent = launch(AGENT, &[path.display().to_string()], &directory);
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh", &agent.id().to_string()]).arg(&directory).current_dir("/");
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = guard.spawn().expect("sh can be started");
        Self { name, directory, port, agent: Mutex::new(agent), guard }
    }

    /// What Patroni calls it.
    #[must_use]
    pub const fn name(&self) -> &str {
        self.name
    }

    /// The address of one of its databases, as the superuser.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Whether its server takes changes.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.says("select not pg_is_in_recovery()")
    }

    /// Whether its server follows another.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.says("select pg_is_in_recovery() and exists (select from pg_stat_wal_receiver where status = 'streaming')")
    }

    fn says(&self, question: &str) -> bool {
        try_sql(&self.url_of("postgres"), question).is_ok_and(|answer| answer.trim() == "t")
    }

    /// Kills the server's processes; the agent lives.
    pub fn kill_server(&self) {
        let all: Vec<u32> = self.server().into_iter().flat_map(with_children).collect();
        all.iter().for_each(|pid| signal(*pid, Signal::KILL));
        wait_until_gone(&all, GONE);
    }

    /// Kills the agent and the server, as a crash of the machine would.
    pub fn kill(&self) {
        kill(&self.agent);
        self.kill_server();
    }

    /// Stops the agent and the server in their tracks: the kernel goes on accepting connections, nobody answers them.
    pub fn hang(&self) {
        for pid in self.processes() {
            signal(pid, Signal::STOP);
        }
    }

    /// Lets them go on after [`Node::hang`].
    pub fn resume(&self) {
        for pid in self.processes().into_iter().rev() {
            signal(pid, Signal::CONT);
        }
    }

    /// What the agent and the server logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        log_in(&self.directory)
    }

    /// The agent, its children, the server's first process, and those that this one made.
    fn processes(&self) -> Vec<u32> {
        let agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner).id();
        let agents = std::iter::once(agent).chain(children(agent));
        agents.chain(self.server().into_iter().flat_map(with_children)).collect()
    }

    /// The server's first process: no child of the agent, which leaves it running when it ends itself.
    fn server(&self) -> Option<u32> {
        let file = std::fs::read_to_string(self.directory.join("data/postmaster.pid")).ok()?;
        let pid = file.lines().next()?.trim().parse().ok()?;
        let data = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        // The file may be one that a killed server left behind, and the number someone else's by now.
        (data == self.directory.join("data")).then_some(pid)
    }
}

impl Etcd {
    fn start() -> Self {
        let (directory, port, peer_port) = (directory::make(), free_port(), free_port());
        let process = Mutex::new(Self::launched(&directory, port, peer_port));
        Self { directory, port, peer_port, process }
    }

    fn launch_again(&self) {
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) =
            Self::launched(&self.directory, self.port, self.peer_port);
    }

    /// Returns when it serves: an agent that asks too soon asks again only after five seconds.
    fn launched(directory: &Path, port: u16, peer_port: u16) -> Child {
        let (url, peer_url) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer_port}"));
        let arguments = [
            format!("--data-dir={}", directory.join("data").display()),
            format!("--listen-client-urls={url}"),
            format!("--advertise-client-urls={url}"),
            format!("--listen-peer-urls={peer_url}"),
            format!("--initial-advertise-peer-urls={peer_url}"),
            format!("--initial-cluster=default={peer_url}"),
            "--enable-v2=true".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        let process = launch(ETCD, &arguments, directory);
        let end = Instant::now() + START;
        while !is_healthy(port).unwrap_or(false) {
            assert!(Instant::now() < end, "etcd does not serve (install etcd-server)");
            thread::sleep(Duration::from_millis(10));
        }
        process
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let servers: Vec<u32> = self.server().into_iter().flat_map(with_children).collect();
        drop(self.guard.stdin.take());
        drop(self.guard.wait());
        kill(&self.agent);
        wait_until_gone(&servers, GONE);
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        kill(&self.process);
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

fn is_healthy(port: u16) -> std::io::Result<bool> {
    let mut door = TcpStream::connect(("127.0.0.1", port))?;
    door.set_read_timeout(Some(Duration::from_secs(5)))?;
    door.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
    let mut said = String::new();
    door.read_to_string(&mut said)?;
    Ok(said.contains("\"true\""))
}

/// A program whose output goes to the log in its directory.
fn launch(program: &str, arguments: &[String], directory: &Path) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(directory.join("log"));
    let log = log.unwrap_or_else(|error| panic!("{} can't be written: {error}", directory.display()));
    let mut command = as_server(Path::new(program));
    let err = log.try_clone().expect("a file can be had twice");
    command.args(arguments).stdout(log).stderr(err);
    spawn(command)
}

fn log_in(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("log")).unwrap_or_default()
}

fn with_children(pid: u32) -> impl Iterator<Item = u32> {
    std::iter::once(pid).chain(children(pid))
}

/// Ends a child of ours, which may have ended before.
fn kill(process: &Mutex<Child>) {
    let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
    drop(process.kill());
    drop(process.wait());
}
