//! The address of a server, parsed and normalised before anything is sent there.

use std::fmt;
use std::str::FromStr;

use ureq::http::Uri;

use crate::Error;

/// The base URL of a server: `http://HOST:PORT` or `https://HOST`, perhaps with a path.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Whether what is sent is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// The whole URL for `path`, which begins with a slash.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl FromStr for ServerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<ServerUrl, Error> {
        let form = "a server is `http://HOST:PORT` or `https://HOST:PORT`";
        // The address may hold a password, so no message repeats it.
        let url: Uri = text.parse().map_err(|error| Error::setup_because(form, error))?;
        let scheme = url.scheme_str().map(str::to_ascii_lowercase);
        let (Some("http" | "https"), Some(authority)) = (scheme.as_deref(), url.authority()) else {
            return Err(Error::setup(form));
        };
        if authority.as_str().contains('@') {
            let cure = "an address holds no user or password: give the credential apart from it";
            return Err(Error::setup(cure));
        }
        // Without this, a port that is no number up to 65535 would be that of the scheme: what is sent
        // there would go to another server.
        let names_a_port = authority.as_str().len() > authority.host().len();
        if names_a_port && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(Error::setup(format!("{form}, with a port from 1 to 65535")));
        }
        if url.query().is_some() || text.contains('#') {
            return Err(Error::setup(format!("{form}, without a query")));
        }
        let scheme = scheme.unwrap_or_default();
        Ok(ServerUrl(format!("{scheme}://{authority}{}", url.path().trim_end_matches('/'))))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood_and_passwords_are_not_repeated() {
        for (typed, understood) in [
            ("http://127.0.0.1:7427", "http://127.0.0.1:7427"),
            ("HTTPS://licenses.example/", "https://licenses.example"),
            ("http://[::1]:7427/team/", "http://[::1]:7427/team"),
        ] {
            assert_eq!(typed.parse::<ServerUrl>().unwrap().to_string(), understood);
        }
        for wrong in [
            "",
            "localhost:7427",
            "ftp://a",
            "http://",
            "http://a?b",
            "http://a#b",
            "http://a b",
            "http://a:74270",
            "http://a:x",
            "http://a:0",
            "http://a:",
            "http://[::1]:74270",
        ] {
            assert!(wrong.parse::<ServerUrl>().is_err(), "{wrong}");
        }
        let error = "http://ann:secret@host".parse::<ServerUrl>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}
