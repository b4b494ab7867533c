//! The one count that is no number.

use crate::RightCount;

impl RightCount {
    /// What means any number of connections, by the documented page.
    ///
    /// ```
    /// use license_types::RightCount;
    ///
    /// assert_eq!(RightCount::UNLIMITED.get(), 32767);
    /// ```
    pub const UNLIMITED: RightCount = RightCount::MAX;
}
