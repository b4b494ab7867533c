//! PostgreSQL servers of our own, from the installed binaries: each in a folder that goes with it,
//! reached by a socket in that folder, so that no port is taken. For tests and for measurements.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A machine that is busy with other tests is slow; one that hangs is told apart by this.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// Between two looks at what is waited for, which needs the processor more than who waits.
const PAUSE: Duration = Duration::from_millis(1);

/// A running server; it ends with this, and its data goes.
pub(crate) struct Server {
    folder: TempDir,
    bin: PathBuf,
    process: Mutex<Option<Child>>,
}

/// One database of a server.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) server: Arc<Server>,
    pub(crate) name: String,
}

/// A fresh database, on a server that the tests of this moment share. None, said loudly, where no
/// server is installed.
pub(crate) fn database() -> Option<Database> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let server = match shared.upgrade() {
        Some(server) => server,
        None => Arc::new(Server::start(&[])?),
    };
    *shared = Arc::downgrade(&server);
    Some(server.database())
}

impl Server {
    /// A server with these settings.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Option<Server> {
        let server = Server::stopped()?;
        let data = server.data();
        let encoding = ["--encoding=UTF8", "--locale=C", "--username=postgres", "--auth=trust"];
        server.run(server.command("initdb").args(encoding).args(["--no-sync", "-D"]).arg(data));
        server.launch(settings);
        Some(server)
    }

    /// A folder for a server that has no data yet.
    pub(crate) fn stopped() -> Option<Server> {
        let bin = binaries()?;
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = other_user() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        Some(Server { folder, bin, process: Mutex::new(None) })
    }

    /// Starts the server on the data that it has, and waits until it answers.
    pub(crate) fn launch(&self, settings: &[(&str, &str)]) {
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        for (name, value) in [("listen_addresses", "")].iter().chain(settings) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdout(log.try_clone().unwrap()).stderr(log);
        *self.lock() = Some(command.spawn().unwrap());
        let port =
            settings.iter().find(|(name, _)| *name == "port").map_or("5432", |(_, port)| *port);
        until("the server answers", || {
            let ended = self.lock().as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "{ended:?}: {}", self.said());
            let mut ready = self.command("pg_isready");
            ready.arg("-qh").arg(self.folder.path()).args(["-p", port]);
            ready.status().unwrap().success()
        });
    }

    /// Stops the server and everything it started where they stand, or lets them go on, by signals.
    pub(crate) fn signal(&self, signal: &str) {
        let main = self.lock().as_ref().expect("it runs").id();
        // The first process first: it starts others.
        let workers = workers_of(main);
        for process in [&*main.to_string()].into_iter().chain(workers.split_whitespace()) {
            // One may have ended meanwhile.
            let _ = Command::new("kill")
                .args([signal, process])
                .stderr(Stdio::null())
                .status()
                .unwrap();
        }
    }

    /// Ends the server and everything it started as a failing machine does.
    pub(crate) fn kill(&self) {
        let Some(mut child) = self.lock().take() else { return };
        let workers = workers_of(child.id());
        // The first process goes first: it would start the others anew.
        child.kill().unwrap();
        child.wait().unwrap();
        for worker in workers.split_whitespace() {
            // One may have ended meanwhile.
            let _ = Command::new("kill").args(["-9", worker]).stderr(Stdio::null()).status();
        }
        until("its processes are gone", || {
            workers.split_whitespace().all(|worker| !is_running(worker))
        });
    }

    /// A fresh database.
    pub(crate) fn database(self: Arc<Server>) -> Database {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        Database { server: self, name }
    }

    /// What a statement answers, one line a row and `|` between two columns.
    pub(crate) fn sql(&self, database: &str, text: &str) -> String {
        let output = self.run(self.psql(database).args(["-c", text]));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A session of PostgreSQL's own client.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut command = self.command("psql");
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]);
        command.arg("-h").arg(self.folder.path());
        command
    }

    /// One of PostgreSQL's programs, as the user that it wants.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((user, group)) = other_user() {
            command.uid(user).gid(group);
        }
        command
    }

    /// Runs a command that must succeed.
    pub(crate) fn run(&self, command: &mut Command) -> Output {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}\n{}", self.said());
        output
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of its socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of its socket, as an address writes a host.
    pub(crate) fn host(&self) -> String {
        host(self.folder.path())
    }

    /// What the server wrote into its log.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Database {
    pub(crate) fn address(&self) -> String {
        address(&[self.server.host()], &self.name)
    }

    pub(crate) fn sql(&self, text: &str) -> String {
        self.server.sql(&self.name, text)
    }
}

/// An address of several hosts.
pub(crate) fn address(hosts: &[String], database: &str) -> String {
    format!("postgres://postgres@{}/{database}", hosts.join(","))
}

/// A folder with a socket, as an address writes a host.
pub(crate) fn host(folder: &Path) -> String {
    folder.to_str().unwrap().replace('/', "%2F")
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < DEADLINE, "waited too long until {what}");
        std::thread::park_timeout(PAUSE);
    }
}

/// Where the newest installed server is.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u64>().ok();
    let newest = versions.map(|entry| entry.unwrap().path()).max_by_key(version);
    let bin = newest.map(|path| path.join("bin")).filter(|bin| bin.join("postgres").exists());
    if bin.is_none() {
        let missing = "no PostgreSQL server is installed: `apt-get install postgresql`";
        let required = std::env::var("LICENSE_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
        assert!(!required, "{missing}");
        // Past the capture of the test runner: nobody may believe that this was tested.
        let _ = io::Write::write_fmt(
            &mut io::stderr().lock(),
            format_args!("\nNOT TESTED ON POSTGRESQL: {missing}\n"),
        );
    }
    bin
}

/// PostgreSQL refuses to run as root: its own user then, by number.
fn other_user() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    root.then(|| {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|line| line.starts_with("postgres:"));
        let fields: Vec<&str> = line.expect("Debian's package makes a user").split(':').collect();
        (fields[2].parse().unwrap(), fields[3].parse().unwrap())
    })
}

/// The processes that a server has started.
fn workers_of(main: u32) -> String {
    fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap_or_default()
}

fn is_running(process: &str) -> bool {
    // A process that nobody waits for stays as a zombie until its new parent does.
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}
