//! Keeps passwords out of messages.

/// `text` with the password of every URL in it replaced by `***`.
///
/// It works on whole messages, since an error of any library may repeat the URL that it was given.
pub(crate) fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        masked.push_str(before);
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        masked.push_str(&masked_authority(&after[..end]));
        rest = &after[end..];
    }
    masked.push_str(rest);
    masked
}

/// `user:secret@host/path?password=secret` without its secrets.
fn masked_authority(url: &str) -> String {
    // A password may contain `@`, `/` and `?` that should have been escaped, so it is taken to end at
    // the last `@`: better to mask too much than too little.
    let (credentials, place) = match url.rsplit_once('@') {
        Some((credentials, place)) => (Some(credentials), place),
        None => (None, url),
    };
    let credentials = match credentials.map(|text| (text, text.split_once(':'))) {
        None => String::new(),
        Some((_, Some((user, _)))) => format!("{user}:***@"),
        Some((user, None)) => format!("{user}@"),
    };
    credentials + &masked_query(place)
}

fn masked_query(place: &str) -> String {
    let Some((path, query)) = place.split_once('?') else { return place.to_owned() };
    let parameters: Vec<String> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("password") => {
                format!("{name}=***")
            }
            _ => parameter.to_owned(),
        })
        .collect();
    format!("{path}?{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn passwords_are_masked_wherever_they_stand() {
        for (said, shown) in [
            ("postgres://ann:secret@db/x", "postgres://ann:***@db/x"),
            ("postgres://ann:se:c@r/e?t@db/x", "postgres://ann:***@db/x"),
            ("postgres://ann@db/x", "postgres://ann@db/x"),
            ("postgres://db/x?user=a&password=b", "postgres://db/x?user=a&password=***"),
            ("postgres://db/x?sslPassword=b&user=a", "postgres://db/x?sslPassword=***&user=a"),
            (
                "'postgres://a:b@c' and 'http://d:e@f' failed",
                "'postgres://a:***@c' and 'http://d:***@f' failed",
            ),
            ("sqlite:license.db", "sqlite:license.db"),
        ] {
            assert_eq!(masked(said), shown);
        }
    }
}
