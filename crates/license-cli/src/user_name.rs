//! Who runs this process: the user name of sessions that nothing else describes.

/// Name of the operating system's user, or `unknown` if there is none.
///
/// The user database comes first, since environment variables can say anything.
pub fn user_name() -> String {
    from_user_database()
        .or_else(|| {
            ["LOGNAME", "USER", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok())
        })
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(target_os = "linux")]
fn from_user_database() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let user_id = std::fs::metadata("/proc/self").ok()?.uid();
    name_of(user_id, &std::fs::read_to_string("/etc/passwd").ok()?)
}

#[cfg(not(target_os = "linux"))]
fn from_user_database() -> Option<String> {
    None
}

#[cfg(any(target_os = "linux", test))]
fn name_of(user_id: u32, passwd: &str) -> Option<String> {
    let user_id = user_id.to_string();
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == user_id).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_by_the_number_of_the_user() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n#broken\nann:x:1000:0:Ann:/home/ann:/bin/sh\n";
        assert_eq!(name_of(1000, passwd), Some("ann".to_owned()));
        assert_eq!(name_of(0, passwd), Some("root".to_owned()));
        assert_eq!(name_of(100, passwd), None);
    }
}
