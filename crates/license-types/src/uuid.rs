//! UUIDs in the one spelling that tells whether two are the same.

use crate::Uuid;

impl Uuid {
    /// Its 32 digits, in capitals: a UUID means the same with dashes and without, in either case.
    ///
    /// ```
    /// use license_types::Uuid;
    ///
    /// let dashed = Uuid::new("3c81a8d7-afe6-4c2e-9ccf-fcdc35dc52f5")?;
    /// assert_eq!(dashed.digits(), "3C81A8D7AFE64C2E9CCFFCDC35DC52F5");
    /// # Ok::<(), license_types::Invalid>(())
    /// ```
    pub fn digits(&self) -> String {
        self.as_str().replace('-', "").to_ascii_uppercase()
    }
}
