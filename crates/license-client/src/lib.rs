//! Client of the license server: retains, keeps the lease alive, releases on drop.
//!
//! A [`Client`] speaks to one server, or to several that share a store, and stays with one until
//! that fails. What it retains is a [`Seat`]: a value that is renewed in the background for as long
//! as it lives, gives notice when that fails, and releases exactly its own retention when it is
//! dropped. It needs no async runtime: every answer can be waited for or awaited.
//!
//! ```
//! use license_client::{Client, ProblemCode, Session};
//!
//! # let pool = license_pool::Pool::open("memory:")?;
//! # pool.install(license_pool::SAMPLE_LICENSE.as_bytes())?;
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let server = license_http::start(listener, pool, license_http::Options::new())?;
//! # let (url, _running) = (server.url(), &server); /*
//! let url = "http://127.0.0.1:7427";
//! # */
//! let client = Client::connect(&url)?;
//!
//! let ann = Session::rest("ann", "job-7", "127.0.0.1");
//! let seat = client.retain("0025", "job-7", ann)?; // the only SQL connection of the sample
//! assert_eq!(seat.record().product_balance.get(), 0);
//!
//! let eve = Session::rest("eve", "job-8", "127.0.0.1");
//! let refused = client.retain("0025", "job-8", eve.clone()).unwrap_err();
//! assert_eq!(refused.code(), Some(ProblemCode::NoLicenseLeft));
//!
//! seat.release()?; // or drop it
//! client.retain("0025", "job-8", eve)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How a lease is kept
//!
//! A lease is renewed when the server suggests: after a third of it. It counts from when the request
//! was *sent*, by monotonic or wall time, whichever shows more. So a client never believes that it holds
//! a license for longer than its server does, even if its machine slept or its clock was set back. A
//! renewal that fails is tried again with every server that is known, after a pause that grows and is
//! spread at random. The application hears of it through [`Seat::notices`]:
//!
//! | notice | when | what it means |
//! |---|---|---|
//! | [`Notice::InDanger`] | a third of the lease is left | renewals fail; the license is still held |
//! | [`Notice::Overdue`] | the lease is over | somebody else may have the license; renewals go on |
//! | [`Notice::Renewed`] | after either of these | it was renewed after all, and was held all the time |
//! | [`Notice::Lost`] | a server says so | it was released; retaining again is up to the application |
//!
//! # In async programs
//!
//! [`Client::retain_async`] and [`Client::in_background`] return a [`Pending`], a future for any
//! runtime. Dropping a seat never blocks. Dropping the last handle of a client waits up to five
//! seconds for releases, unless an answer was ever awaited: in that case await [`Client::close`].
//!
//! ```
//! # use license_client::{Client, Session};
//! # let pool = license_pool::Pool::open("memory:")?;
//! # pool.install(license_pool::SAMPLE_LICENSE.as_bytes())?;
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let server = license_http::start(listener, pool, license_http::Options::new())?;
//! # let client = Client::connect(&server.url())?;
//! # struct Unpark(std::thread::Thread);
//! # impl std::task::Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
//! # let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
//! # let mut context = std::task::Context::from_waker(&waker);
//! # let mut future = std::pin::pin!(async {
//! let seat = client.retain_async("0009", "job-7", Session::rest("ann", "job-7", "::1")).await?;
//! let available = client.in_background(|client| client.availability("0009")).await?;
//! assert_eq!(available.used_count.get(), 1);
//! seat.release_async().await?;
//! client.close().await?;
//! # Ok::<(), license_client::Error>(())
//! # });
//! # let done = loop {
//! #     match future.as_mut().poll(&mut context) {
//! #         std::task::Poll::Ready(done) => break done,
//! #         std::task::Poll::Pending => std::thread::park(),
//! #     }
//! # };
//! # done?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod ask;
mod background;
mod calls;
mod client;
mod error;
mod events;
pub mod guide;
mod keeper;
mod lease;
mod lines;
mod moment;
mod notice;
mod options;
mod pending;
mod retain;
mod seat;
mod secret;
mod selection;
mod servers;
mod transport;

pub use address::ServerUrl;
pub use client::Client;
pub use error::Error;
pub use events::{Events, Followed};
pub use license_types::*;
pub use lines::{Entries, Lines};
pub use notice::{Notice, Notices};
pub use options::Options;
pub use pending::Pending;
pub use retain::Retain;
pub use seat::Seat;
pub use secret::Secret;
pub use selection::Selection;
