//! The rest of the API: one method for each request, for applications and the command line.

use license_types::{
    Availability, DateTime, InstallReceipt, IntoProductId, LicenseInfo, LicenseList, LicenseReport,
    ProductId, ReleaseReceipt, RenewListReceipt, RenewReceipt, RenewRequest, Retention, ServerList,
    SessionId, SessionState, Token,
};
use ureq::http::Method;

use crate::ask::{self, license_path, question, session_path};
use crate::transport::{Answer, Question};
use crate::{Client, Entries, Error, Events, Lines, Selection, ServerUrl};

/// All of these fail with an [`Error::Problem`] that gives the server's reason, or with the reason why
/// no server answered.
impl Client {
    /// The installed licenses, a summary of each.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn licenses(&self) -> Result<LicenseList, Error> {
        self.ask(&question(Method::GET, "/v1/licenses"))
    }

    /// License info: the license with live counters.
    ///
    /// # Errors
    /// See [`Error`]; the problem `unknown_license` where none is installed.
    pub fn info(&self) -> Result<LicenseInfo, Error> {
        self.ask(&question(Method::GET, license_path(self.named())))
    }

    /// License usage: what is held now, in the order of the tokens, read as it arrives. `server` is the
    /// name of a server, or `all`; without it, the report is of the server that answers.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn usage(
        &self,
        server: Option<&str>,
        product: Option<ProductId>,
    ) -> Result<Lines<Retention>, Error> {
        let product = product.map(|product| product.to_string());
        let question = question(Method::GET, format!("{}/usage", license_path(self.named())));
        let question = question.query("server", server).query("product", product.as_deref());
        self.lines(question)
    }

    /// The servers that share the store, in the order of their names.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn store_servers(&self) -> Result<ServerList, Error> {
        self.ask(&question(Method::GET, "/v1/servers"))
    }

    /// Whether a new session would be granted a license of a product now.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn availability(&self, product: impl IntoProductId) -> Result<Availability, Error> {
        let product = product.into_product_id().map_err(Error::Input)?;
        let license = license_path(self.named());
        self.ask(&question(Method::GET, format!("{license}/products/{product}/availability")))
    }

    /// What a session holds.
    ///
    /// # Errors
    /// See [`Error`]; the problem `not_retained` when it holds nothing.
    pub fn session(&self, session: &SessionId) -> Result<RenewReceipt, Error> {
        self.ask(&question(Method::GET, session_path(self.named(), session, None)))
    }

    /// Renews what a session holds, sets its state if one is given, and returns what it holds. A
    /// [`Seat`](crate::Seat) renews itself and does not need this.
    ///
    /// # Errors
    /// See [`Error`]; the problem `not_retained` when it holds nothing.
    pub fn renew(
        &self,
        session: &SessionId,
        state: Option<SessionState>,
    ) -> Result<RenewReceipt, Error> {
        let path = format!("{}/renew", session_path(self.named(), session, None));
        self.ask(&question(Method::POST, path).with(&RenewRequest { state }))
    }

    /// Renews many sessions by one request, a thousand at most.
    ///
    /// # Errors
    /// See [`Error`]; what became of each session is in the receipt.
    pub fn renew_list(&self, sessions: &[SessionId]) -> Result<RenewListReceipt, Error> {
        let patience = self.patience();
        Ok(ask::renew_list(self.servers(), self.named(), sessions, None, patience)?.0)
    }

    /// Releases what a session holds: all of it, of one product, or only the retention of this
    /// token.
    ///
    /// # Errors
    /// See [`Error`]; the problem `not_retained` when it holds nothing of that.
    pub fn release(
        &self,
        session: &SessionId,
        product: Option<ProductId>,
        token: Option<Token>,
    ) -> Result<ReleaseReceipt, Error> {
        let token = token.map(|token| token.to_string());
        let path = session_path(self.named(), session, product);
        self.ask(&question(Method::DELETE, path).query("token", token.as_deref()))
    }

    /// Takes one license back, whoever holds it; for administrators. The note is kept in the log.
    ///
    /// # Errors
    /// See [`Error`]; the problem `not_retained` when nobody holds it.
    pub fn revoke(&self, token: Token, note: Option<&str>) -> Result<ReleaseReceipt, Error> {
        let path = format!("{}/retentions/{token}", license_path(self.named()));
        self.ask(&question(Method::DELETE, path).query("note", note))
    }

    /// Installs a license document, or shows what installing it would change; for administrators.
    ///
    /// # Errors
    /// See [`Error`]; the problem says what is wrong with the document.
    pub fn install(
        &self,
        document: &[u8],
        replaces: Option<&str>,
        dry_run: bool,
    ) -> Result<InstallReceipt, Error> {
        let question = question(Method::POST, "/v1/licenses");
        let question = question.query("replaces", replaces);
        let question = question.query("dryRun", dry_run.then_some("true"));
        self.ask(&Question { body: Some(document.to_vec()), ..question })
    }

    /// The entries of the log that are wanted, read as they arrive. If the server deletes some before it
    /// has sent them, the iterator ends with [`Error::Unreachable`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn history(&self, wanted: &Selection) -> Result<Entries, Error> {
        let question = question(Method::GET, format!("{}/history", license_path(self.named())));
        self.lines(wanted.narrow(question))
    }

    /// The figures of each product on each day (UTC) from `from` on and before `to`, in the order of
    /// the days; of one product, or of all.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn report(
        &self,
        from: Option<&DateTime>,
        to: Option<&DateTime>,
        product: Option<ProductId>,
    ) -> Result<LicenseReport, Error> {
        let question = question(Method::GET, format!("{}/report", license_path(self.named())))
            .query("from", from.map(DateTime::as_str))
            .query("to", to.map(DateTime::as_str))
            .query("product", product.map(|product| product.to_string()).as_deref());
        self.ask(&question)
    }

    /// Follows the log: gives every entry after the sequence `after`, or from now on without one, as
    /// entries are appended and for as long as they are read.
    ///
    /// ```no_run
    /// # fn shown(client: &license_client::Client) -> Result<(), license_client::Error> {
    /// use license_client::Followed;
    ///
    /// for followed in client.events(None)? {
    ///     match followed? {
    ///         Followed::Entry(entry) => println!("{}: {:?}", entry.sequence, entry.event),
    ///         Followed::Reset { sequence } => println!("all anew, from {sequence} on"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Error`].
    pub fn events(&self, after: Option<u64>) -> Result<Events, Error> {
        Events::begin(self.clone(), after)
    }

    /// Opens one connection for [`events`](Self::events).
    pub(crate) fn stream_of_events(
        &self,
        after: Option<u64>,
    ) -> Result<(Answer, ServerUrl), Error> {
        let question = question(Method::GET, format!("{}/events", license_path(self.named())));
        let question = question.query("after", after.map(|after| after.to_string()).as_deref());
        let question = Question { stream: Some("text/event-stream"), ..question };
        self.servers().answer(&question, self.patience())
    }

    fn lines<T>(&self, question: Question) -> Result<Lines<T>, Error> {
        let question = Question { stream: Some("application/x-ndjson"), ..question };
        let (answer, server) = self.servers().answer(&question, self.patience())?;
        Ok(Lines::new(answer, server))
    }
}
