//! The two spellings of a product id, and the names that are known.

use std::str::FromStr;

use crate::json::prelude::Rule;
use crate::{Invalid, ProductId};

/// Every published id with the name it is known by; names vary between versions of the product.
const KNOWN: [(&[u8; 4], &str); 22] = [
    (b"0001", "4D"),
    (b"0005", "4D Volume Desktop"),
    (b"0007", "4D REST Only"),
    (b"0008", "4D Server"),
    (b"0009", "4D Client"),
    (b"0014", "Compiler"),
    (b"0019", "4D Write Pro"),
    (b"0021", "4D Web Application"),
    (b"0022", "4D ODBC Pro"),
    (b"0025", "4D SQL Server"),
    (b"0037", "4D View Pro"),
    (b"0038", "4D for OCI"),
    (b"0039", "4D Web Application for 4D Client"),
    (b"0042", "Qodly Studio"),
    (b"0048", "4D Web Services"),
    (b"0049", "4D Web Services for 4D Client"),
    (b"0057", "4D REST - Test (3 Clients)"),
    (b"0058", "Internal ODBC Commands"),
    (b"0125", "4D SQL Server - Local"),
    (b"1021", "4D Web Application - 1 Connection"),
    (b"1025", "4D SQL Server - 1 Connection"),
    (b"1048", "4D Web Services - 1 Connection"),
];

impl ProductId {
    /// The id as four ASCII letters or digits, where it is one; a big-endian integer otherwise.
    ///
    /// ```
    /// use license_types::ProductId;
    ///
    /// assert_eq!(ProductId::new(808464441)?.spelling().as_deref(), Some("0009"));
    /// assert_eq!(ProductId::new(9)?.spelling(), None);
    /// # Ok::<(), license_types::Invalid>(())
    /// ```
    pub fn spelling(self) -> Option<String> {
        let bytes = u32::try_from(self.get()).ok()?.to_be_bytes();
        let spelled = bytes.iter().all(u8::is_ascii_alphanumeric);
        spelled.then(|| bytes.into_iter().map(char::from).collect())
    }

    /// Both spellings, for people.
    ///
    /// ```
    /// use license_types::ProductId;
    ///
    /// assert_eq!("0009".parse::<ProductId>()?.human(), "808464441 (0009)");
    /// assert_eq!("9".parse::<ProductId>()?.human(), "9");
    /// # Ok::<(), license_types::Invalid>(())
    /// ```
    pub fn human(self) -> String {
        match self.spelling() {
            Some(spelling) => format!("{self} ({spelling})"),
            None => self.to_string(),
        }
    }

    /// The name that the product is known by, where its id is a published one.
    ///
    /// ```
    /// use license_types::ProductId;
    ///
    /// assert_eq!("0009".parse::<ProductId>()?.known_name(), Some("4D Client"));
    /// # Ok::<(), license_types::Invalid>(())
    /// ```
    pub fn known_name(self) -> Option<&'static str> {
        let bytes = u32::try_from(self.get()).ok()?.to_be_bytes();
        KNOWN.iter().find(|(known, _)| **known == bytes).map(|(_, name)| *name)
    }
}

/// Reads either spelling: four digits are the ASCII one, any other integer is the number.
///
/// ```
/// use license_types::ProductId;
///
/// assert_eq!("0009".parse::<ProductId>()?, "808464441".parse()?);
/// assert_eq!("12".parse::<ProductId>()?.get(), 12);
/// assert!("client".parse::<ProductId>().is_err());
/// # Ok::<(), license_types::Invalid>(())
/// ```
impl FromStr for ProductId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const RULE: Rule = Rule {
            name: "product id",
            expected: "four digits such as 0009, or a number such as 808464441",
        };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RULE.refuse_text(text));
        }
        match <[u8; 4]>::try_from(text.as_bytes()) {
            Ok(spelling) => Self::new(u32::from_be_bytes(spelling).into()),
            Err(_) => text.parse().map_err(|_| RULE.refuse_text(text)).and_then(Self::new),
        }
    }
}

/// What can be read as the id of a product: the id itself, its number, or either spelling of it.
pub trait IntoProductId {
    /// The id.
    ///
    /// # Errors
    /// When it is none.
    fn into_product_id(self) -> Result<ProductId, Invalid>;
}

impl IntoProductId for ProductId {
    fn into_product_id(self) -> Result<ProductId, Invalid> {
        Ok(self)
    }
}

impl IntoProductId for &str {
    fn into_product_id(self) -> Result<ProductId, Invalid> {
        self.parse()
    }
}

impl IntoProductId for u64 {
    fn into_product_id(self) -> Result<ProductId, Invalid> {
        ProductId::new(self)
    }
}
