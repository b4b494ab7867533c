//! JSON shapes of the license reports as Rust types, generated from the published schemas.
//!
//! Reading a type accepts exactly what its schema accepts, and writing gives the same value back:
//! bounds, patterns and formats are held by the types, so a value that exists is a valid one.
//!
//! There are two profiles. [`documented`] (also at the root of this crate) is what we write;
//! [`observed`] is what we accept from others: wider, and its types keep members that they do not
//! know. `TryFrom` leads from an observed type to the documented one, `From` back.
//!
//! ```
//! use license_types::{Session, SessionState};
//!
//! let session: Session = serde_json::from_str(
//!     r#"{"userName": "Eve", "sessionID": "8F3E", "IPAddress": "::1", "isDatastore": false}"#,
//! )?;
//! assert_eq!(session, Session::rest("Eve", "8F3E", "::1"));
//!
//! let error = serde_json::from_str::<Session>(r#"{"type": "remote", "ID": 7}"#).unwrap_err();
//! assert!(error.to_string().contains("ClientSession"));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod date_time;
mod digest;
mod event;
#[rustfmt::skip]
mod generated;
mod json;
mod license_date;
mod product_id;
mod right_count;
pub mod schemas;
mod session;
mod text;
mod uuid;

pub use generated::{documented, observed};

pub use documented::*;
pub use json::{FromJson, Invalid, ParseError, Pointer};
pub use product_id::IntoProductId;
pub use text::escaped;
