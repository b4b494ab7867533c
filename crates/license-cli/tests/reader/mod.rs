//! Somebody who does what the documentation says.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How an image is made that holds the program.
const CONTAINER: &str = include_str!("../../packaging/Containerfile");

/// Somebody who does what a guide says.
pub(crate) struct Reader {
    folder: TempDir,
    servers: Vec<Server>,
    background: Vec<Child>,
}

/// A server that a guide starts.
struct Server {
    process: Child,
    /// The port that the guide says, and the one that was free.
    ports: [String; 2],
}

impl Reader {
    pub(crate) fn new() -> Reader {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        Reader { folder, servers: Vec::new(), background: Vec::new() }
    }

    /// Ends what was started; every server must end well.
    pub(crate) fn end(mut self) {
        for mut process in self.background.drain(..) {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        for server in &mut self.servers {
            let pid = Pid::from_child(&server.process);
            kill_process(pid, Signal::TERM).unwrap();
            assert!(server.process.wait().unwrap().success(), "a server did not end well");
        }
        self.servers.clear();
    }

    /// Does what one command or program says.
    pub(crate) fn follow(&mut self, language: &str, text: &str) {
        if text.starts_with("podman build ") {
            return;
        }
        let text = self.at_free_ports(&beside_a_container(text));
        let served = text.strip_prefix("license serve");
        if let Some(arguments) = served.filter(|it| it.is_empty() || it.starts_with(' ')) {
            return self.serve(arguments);
        }
        if let Some(text) = text.strip_suffix(" &") {
            let process = self.shell(&format!("exec {text}")).spawn().unwrap();
            self.background.push(process);
            return;
        }
        let mut command = match language {
            "sh" => self.shell(&text),
            "python" => {
                fs::write(self.folder.path().join("guide.py"), &text).unwrap();
                self.shell("python3 guide.py")
            }
            language => unreachable!("no test runs {language}"),
        };
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "`{text}` says: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Runs a server in the background, on a free port, until its first line says that it is there.
    fn serve(&mut self, arguments: &str) {
        let arguments = arguments.trim();
        let listen = arguments.split_once("--listen ").map_or("127.0.0.1:7427", |(_, rest)| {
            rest.split_whitespace().next().expect("--listen has a value")
        });
        let (host, port) = listen.rsplit_once(':').unwrap();
        let free = format!("{host}:0");
        let arguments = match arguments.contains("--listen ") {
            true => arguments.replace(listen, &free),
            false => format!("{arguments} --listen {free}"),
        };
        let mut command = self.shell(&format!("exec license serve {arguments}"));
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let taken = url.trim().rsplit_once(':').map(|(_, taken)| format!(":{taken}"));
        let taken = taken.unwrap_or_else(|| panic!("`license serve {arguments}` did not start"));
        self.servers.push(Server { process, ports: [format!(":{port}"), taken] });
    }

    fn at_free_ports(&self, text: &str) -> String {
        let replaced = |text: String, server: &Server| {
            let [said, taken] = &server.ports;
            text.replace(said, taken)
        };
        self.servers.iter().fold(text.to_owned(), replaced)
    }

    fn shell(&self, line: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_license")).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths([binary].into_iter().chain(std::env::split_paths(&path)));
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.folder.path()).env("PATH", path.unwrap());
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let servers = self.servers.iter_mut().map(|server| &mut server.process);
        for process in servers.chain(&mut self.background) {
            let _ = (process.kill(), process.wait());
        }
    }
}

/// What runs in a container, as it runs without one: the same arguments and variables, and `data`
/// in place of the volume `/data`.
fn beside_a_container(text: &str) -> String {
    let Some(flags) = text.strip_prefix("podman run ") else { return text.to_owned() };
    let (_, arguments) = flags.split_once(" license ").expect("a container of the image is run");
    let variables = CONTAINER.lines().find_map(|line| line.strip_prefix("ENV ")).unwrap();
    let variable = |name: &str| {
        let (_, rest) = variables.split_once(&format!("{name}=")).unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let listen = match arguments.starts_with("serve") {
        true => format!(" --listen {}", variable("LICENSE_LISTEN")),
        false => String::new(),
    };
    let (command, redirected) = match arguments.find(['<', '>']) {
        Some(at) => arguments.split_at(at),
        None => (arguments, ""),
    };
    let store = variable("LICENSE_STORE").replace("/data/", "data/");
    format!("license {}{listen} --store {store} {redirected}", command.trim_end())
}
