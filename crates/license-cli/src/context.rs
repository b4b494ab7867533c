//! What every command has at hand: its environment, the flags that all commands take, its output, and
//! the store or server that they name.
//!
//! A command acts on servers if `--server` names some, on a store if `--store` names one. Without either
//! flag, `LICENSE_SERVER` and `LICENSE_STORE` say so in the same way, and without any of these it acts on
//! the store `sqlite:license.db`. To name both, at the same level, is an error.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use license_client::{Client, Secret};
use license_pool::{KeptCredential, Options, Pool, StoreUrl};
use serde::Serialize;

use crate::arguments::Everywhere;
use crate::environment::{Env, variables};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::licenses::{Licenses, RetainSeat};
use crate::output::{json, name_of, secrets::masked, text::escaped_lines};
use crate::server;
use crate::store::{self, Missing};
use crate::store_address::{DEFAULT_STORE, store_address};

/// The most bytes of a license or a description; a longer file is the wrong one.
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;

/// How long a command goes on trying when no server answers.
const PATIENCE: Duration = Duration::from_secs(2);

/// The context of one command.
pub(crate) struct Context<'run, 'world> {
    /// Streams, clock, variables and directory.
    pub env: &'run mut Env<'world>,
    /// Flags that every command understands.
    pub everywhere: Everywhere,
    /// What was typed, the name of the program first.
    pub typed: &'run [OsString],
}

impl Context<'_, '_> {
    /// Whether the output is to be JSON.
    pub(crate) fn json(&self) -> bool {
        self.everywhere.json
    }

    /// The width of the terminal, if the data goes to one.
    pub(crate) fn width(&self) -> Option<u16> {
        self.env.terminal_width.filter(|_| self.env.stdout_is_terminal)
    }

    /// Writes data.
    pub(crate) fn data(&mut self, text: &str) -> Result<(), Failure> {
        self.env.stdout.write_all(text.as_bytes()).map_err(not_written)
    }

    /// Writes a value as JSON.
    pub(crate) fn value(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.data(&json(value))
    }

    /// Says something to people, on stderr. It is no failure if that cannot be written.
    pub(crate) fn say(&mut self, text: &str) {
        say(self.env, text);
    }

    /// Says that no license is installed, and how to install one.
    pub(crate) fn nothing_installed(&mut self) {
        self.say("no license is installed\nhint: `license install FILE` installs one");
    }

    /// Warns where the store was sealed, so that nobody takes what it held then for what is held now.
    pub(crate) fn warn_if_sealed(&mut self, licenses: &mut dyn Licenses) -> Result<(), Failure> {
        if let Some(target) = licenses.successor()? {
            self.say(&format!(
                "warning: the store is sealed: {target} took its place, and knows what happened since"
            ));
        }
        Ok(())
    }

    /// Flushes what was written, and waits; gives whether to go on.
    pub(crate) fn wait(&mut self, time: Duration) -> Result<ControlFlow<()>, Failure> {
        self.env.stdout.flush().map_err(not_written)?;
        Ok((self.env.wait)(time))
    }

    /// The bytes of a file, or of stdin for `-`.
    pub(crate) fn read(&mut self, path: &Path) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let mut limited =
            |input: &mut dyn Read| input.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes);
        let read = match path == Path::new("-") {
            true => limited(&mut *self.env.stdin),
            false => {
                File::open(self.env.directory.join(path)).and_then(|mut file| limited(&mut file))
            }
        };
        let read = read.map_err(|error| unreadable(path, &error))?;
        if u64::try_from(read).is_ok_and(|read| read <= DOCUMENT_BYTES_MAX) {
            return Ok(bytes);
        }
        let error = io::Error::other("no license or description has more than 1 MiB");
        Err(unreadable(path, &error))
    }

    /// The address of the store, for what can only be done on one.
    ///
    /// # Errors
    /// When a server was named instead.
    pub(crate) fn store_url(&self) -> Result<StoreUrl, Failure> {
        if !self.everywhere.server.is_empty() {
            return Err(Failure::usage("this is done on a store, and not through a server")
                .hint("--store names the store"));
        }
        let text = match &self.everywhere.store {
            Some(text) => text.clone(),
            None => self.env.variable(variables::LICENSE_STORE)?.unwrap_or(DEFAULT_STORE.into()),
        };
        store_address(&text, &self.env.directory)
    }

    /// The licenses of a server, or of a store that exists.
    pub(crate) fn licenses(&self) -> Result<Box<dyn Licenses>, Failure> {
        if let Some(client) = self.client()? {
            return Ok(server::open(client, self.number()?.is_some()));
        }
        self.open(&self.store_url()?, Missing::Fails, self.number()?)
    }

    /// Retains a license for a program that is to run; see [`RetainSeat`].
    pub(crate) fn seats(&self) -> Result<RetainSeat, Failure> {
        if let Some(client) = self.client()? {
            return Ok(server::seats(client));
        }
        let url = self.store_url()?;
        let password = self.password(&url)?;
        Ok(store::seats(url, password, self.number()?, self.env.clock.clone()))
    }

    /// The licenses of the store, which is created if it does not exist.
    pub(crate) fn licenses_or_new(&self) -> Result<Box<dyn Licenses>, Failure> {
        self.open(&self.store_url()?, Missing::Created, None)
    }

    /// The licenses of an empty store in memory, which leaves nothing behind.
    pub(crate) fn licenses_in_memory(&self) -> Result<Box<dyn Licenses>, Failure> {
        self.open(&StoreUrl::Memory, Missing::Created, None)
    }

    /// Whether the store does not exist yet, on disk or in a database.
    pub(crate) fn store_is_missing(&self) -> Result<bool, Failure> {
        let url = self.store_url()?;
        store::is_missing(&url, self.password(&url)?)
    }

    /// Whether the command acts through a server.
    pub(crate) fn is_remote(&self) -> Result<bool, Failure> {
        Ok(!self.servers()?.is_empty())
    }

    /// The servers to act through; empty if the command acts on a store. Flags win over variables.
    fn servers(&self) -> Result<Vec<String>, Failure> {
        let both = "a store and a server are named";
        match (&self.everywhere.store, &self.everywhere.server[..]) {
            (None, []) => {}
            (Some(_), []) => return Ok(Vec::new()),
            (None, servers) => return Ok(servers.to_vec()),
            (Some(_), _) => {
                return Err(Failure::usage(both).hint("give one of --store and --server"));
            }
        }
        let Some(servers) = self.env.variable(variables::LICENSE_SERVER)? else {
            return Ok(Vec::new());
        };
        if self.env.variable(variables::LICENSE_STORE)?.is_some() {
            let cure = "give one of --store and --server, or unset LICENSE_STORE or LICENSE_SERVER";
            return Err(Failure::usage(both).hint(cure));
        }
        Ok(servers.split(',').map(str::to_owned).collect())
    }

    /// The client of the servers to act through; none if the command acts on a store.
    fn client(&self) -> Result<Option<Client>, Failure> {
        let servers = self.servers()?;
        let [first, others @ ..] = &servers[..] else { return Ok(None) };
        let mut options = Client::options().patience(PATIENCE);
        for other in others {
            options = options.or(other);
        }
        if let Some(credential) = self.credential()? {
            options = options.credential(credential);
        }
        if let Some(file) = self.file(&self.everywhere.ca_file, variables::LICENSE_CA_FILE)? {
            options = options.authorities(file);
        }
        if let Some(number) = self.number()? {
            options = options.license(number);
        }
        options.connect(first).map(Some).map_err(server::failure)
    }

    fn credential(&self) -> Result<Option<Secret>, Failure> {
        let credential = match (
            &self.everywhere.credential_file,
            self.env.variable(variables::LICENSE_CREDENTIAL)?,
        ) {
            (None, Some(credential)) => Secret::new(credential),
            (file, _) => match self.file(file, variables::LICENSE_CREDENTIAL_FILE)? {
                Some(file) => Secret::from_file(&file),
                None => return Ok(None),
            },
        };
        credential.map(Some).map_err(server::failure)
    }

    /// The absolute path of a file that a flag or a variable names.
    fn file(&self, flag: &Option<PathBuf>, variable: &str) -> Result<Option<PathBuf>, Failure> {
        let named = match flag {
            Some(file) => Some(file.clone()),
            None => self.env.variable(variable)?.map(PathBuf::from),
        };
        Ok(named.map(|file| self.env.directory.join(file)))
    }

    /// The number of the license to act on, if one is named.
    fn number(&self) -> Result<Option<String>, Failure> {
        match &self.everywhere.license_number {
            // A variable of a script that is not set; nobody has such a license.
            Some(number) if number.is_empty() => {
                Err(Failure::usage("the number of a license is never empty")
                    .hint("leave --license-number out for the only one that is installed"))
            }
            Some(number) => Ok(Some(number.clone())),
            None => self.env.variable(variables::LICENSE_NUMBER),
        }
    }

    fn open(
        &self,
        url: &StoreUrl,
        missing: Missing,
        number: Option<String>,
    ) -> Result<Box<dyn Licenses>, Failure> {
        let password = self.password(url)?;
        store::open(url, password, missing, number, self.env.clock.clone())
    }

    /// A pool to serve the store, which is created if it does not exist.
    pub(crate) fn serving(&self, url: &StoreUrl, options: Options) -> Result<Pool, Failure> {
        store::serving(url, self.password(url)?, options.clock(self.env.clock.clone()))
    }

    /// The store itself, which must exist, for a command that concerns no single license.
    pub(crate) fn store(&self) -> Result<Pool, Failure> {
        let url = self.store_url()?;
        store::existing(&url, self.password(&url)?, self.env.clock.clone())
    }

    /// The credentials of a store; none if it does not exist yet.
    pub(crate) fn credentials(&self, url: &StoreUrl) -> Result<Vec<KeptCredential>, Failure> {
        let password = self.password(url)?;
        if *url == StoreUrl::Memory || store::is_missing(url, password.clone())? {
            return Ok(Vec::new());
        }
        let pool = store::existing(url, password, self.env.clock.clone())?;
        pool.credentials().wait().map_err(|error| store::failure(&error))
    }

    /// The address of the store to copy to, and its password.
    pub(crate) fn copy_url(&self, text: &str) -> Result<(StoreUrl, Option<String>), Failure> {
        let url = store_address(text, &self.env.directory)?;
        let names = [variables::LICENSE_COPY_PASSWORD, variables::LICENSE_COPY_PASSWORD_FILE];
        let password = self.password_in(&url, names)?;
        Ok((url, password))
    }

    /// The password of the store from the environment, for an address that contains none.
    pub(crate) fn password(&self, url: &StoreUrl) -> Result<Option<String>, Failure> {
        let names = [variables::LICENSE_STORE_PASSWORD, variables::LICENSE_STORE_PASSWORD_FILE];
        self.password_in(url, names)
    }

    /// A password from the first of two variables, or from the file that the second names.
    fn password_in(&self, url: &StoreUrl, names: [&str; 2]) -> Result<Option<String>, Failure> {
        match url {
            StoreUrl::Memory | StoreUrl::Sqlite(_) => return Ok(None),
            StoreUrl::Postgres(_) => {}
        }
        let [password, file] = names;
        if let Some(password) = self.env.variable(password)? {
            return Ok(Some(password));
        }
        let Some(path) = self.env.variable(file)? else {
            return Ok(None);
        };
        let path = Path::new(&path);
        let text = std::fs::read_to_string(self.env.directory.join(path));
        let text = text.map_err(|error| unreadable(path, &error))?;
        // Editors add a line break at the end.
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// Says something to people on stderr, with control characters escaped and passwords masked.
pub(crate) fn say(env: &mut Env<'_>, text: &str) {
    let _ = writeln!(env.stderr, "license: {}", escaped_lines(&masked(text)));
}

/// The failure of a file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", name_of(path)))
}

/// How a command ends whose exit code is an answer: it stands although the reader of stdout has gone.
pub(crate) fn answered(written: Result<(), Failure>, answer: Exit) -> Result<Exit, Failure> {
    match written {
        Ok(()) | Err(Failure::ReaderGone) => Ok(answer),
        Err(failure) => Err(failure),
    }
}

/// The failure of data that cannot be written to stdout.
pub(crate) fn not_written(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::internal(format!("cannot write to stdout: {error}")),
    }
}
