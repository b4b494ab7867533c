//! License usage: who holds what now, in pages of tokens, so that a long report needs little memory.

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

/// All servers, where the query names one.
const ALL: &str = "all";

/// So many records are read and written at once.
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
    // The first page shows whether there is a license at all.
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
        // The answer breaks off, so that nobody takes a part for the whole.
        let next = next.map_err(|failure| {
            usage.ended = true;
            std::io::Error::other(failure.problem.detail.clone())
        });
        Some((next, usage))
    });
    let content = futures_util::StreamExt::chain(stream::iter([Ok(first)]), rest);
    Ok(body(StatusCode::OK, media, Body::from_stream(content)))
}

/// A report that is being written.
struct Usage {
    pool: Pool,
    server: Option<String>,
    product: Option<ProductId>,
    /// Whether each record is a line of its own, and not an element of an array.
    is_lines: bool,
    after: Option<Token>,
    begun: bool,
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
