//! License usage: who holds what now. It is read and sent in pages, so that a long report needs little
//! memory.

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::stream;
use license_pool::{Held, Pool};
use license_types::{ProductId, Token};

use crate::answer::{JSON, NDJSON, body};
use crate::call::Call;
use crate::failure::Failure;
use crate::routes::Answer;

/// Stands in the query for all servers.
const ALL: &str = "all";

/// How many records are read and sent at once.
const PAGE: usize = 1000;

/// `GET /v1/licenses/{n}/usage`
pub(super) async fn show(call: &Call) -> Answer {
    let server = match call.parameters.server.as_deref() {
        None => Some(call.state.pool.server().as_str().to_owned()),
        Some(ALL) => None,
        Some(name) => Some(name.to_owned()),
    };
    let is_lines = call.wants(NDJSON);
    let mut usage = Usage {
        pool: call.pool(),
        server,
        product: call.parameters.product,
        is_lines,
        after: None,
        begun: false,
        ended: false,
    };
    // The first page is read before the answer begins, since it may find that there is no such license.
    let first = usage.next().await?;
    let media = if is_lines { NDJSON } else { JSON };
    if usage.ended {
        return Ok(body(StatusCode::OK, media, first));
    }
    let rest = stream::unfold(usage, async |mut usage| {
        if usage.ended {
            return None;
        }
        let next = usage.next().await;
        // Breaks the answer off, so that nobody takes a part for the whole.
        let next = next.map_err(|failure| {
            usage.ended = true;
            std::io::Error::other(failure.problem.detail.clone())
        });
        Some((next, usage))
    });
    let content = futures_util::StreamExt::chain(stream::iter([Ok(first)]), rest);
    Ok(body(StatusCode::OK, media, Body::from_stream(content)))
}

/// A report that is being sent.
struct Usage {
    pool: Pool,
    server: Option<String>,
    product: Option<ProductId>,
    /// Whether each record is a line of its own, and not an element of an array.
    is_lines: bool,
    /// The last token that was sent.
    after: Option<Token>,
    /// Whether any record was sent.
    begun: bool,
    /// Whether the last page was read.
    ended: bool,
}

impl Usage {
    async fn next(&mut self) -> Result<Bytes, Failure> {
        let Usage { pool, server, product, after, .. } = self;
        let page = pool.held_page(*after, PAGE, server.as_deref(), *product).await?;
        self.after = page.last().map(|held| held.record.token).or(self.after);
        self.ended = page.len() < PAGE;
        Ok(self.written(&page).into())
    }

    fn written(&mut self, page: &[Held]) -> Vec<u8> {
        let mut text = Vec::with_capacity(page.len() * 400 + 2);
        if !self.is_lines && !self.begun {
            text.push(b'[');
        }
        for held in page {
            if !self.is_lines && self.begun {
                text.push(b',');
            }
            self.begun = true;
            let begin = text.len();
            held.write_json(&mut text);
            crate::checked::check_line("retention", &text[begin..]);
            if self.is_lines {
                text.push(b'\n');
            }
        }
        if !self.is_lines && self.ended {
            text.push(b']');
        }
        text
    }
}
