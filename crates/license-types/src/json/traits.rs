//! The trait implementations that every generated type of a kind shares.

/// Reading through [`FromJson`](super::FromJson), for serde.
macro_rules! deserialize {
    ($($name:ident),* $(,)?) => {$(
        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::json::deserialize(from)
            }
        }
    )*};
}

/// What a bounded integer implements.
macro_rules! integer_traits {
    ($($name:ident: $integer:ty),* $(,)?) => {$(
        impl ::std::fmt::Display for $name {
            fn fmt(&self, out: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, out)
            }
        }

        impl TryFrom<$integer> for $name {
            type Error = $crate::Invalid;

            fn try_from(number: $integer) -> Result<Self, Self::Error> {
                Self::new(number)
            }
        }

        impl From<$name> for $integer {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl $crate::FromJson for $name {
            fn from_json(
                value: ::serde_json::Value,
                at: &$crate::Pointer<'_>,
            ) -> Result<Self, $crate::ParseError> {
                $crate::json::scalar::integer(&value, at, &Self::RULE, Self::new)
            }
        }
    )*};
}

/// What a constrained text implements.
macro_rules! text_traits {
    ($($name:ident),* $(,)?) => {$(
        impl ::std::fmt::Display for $name {
            fn fmt(&self, out: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, out)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::Invalid;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl $crate::FromJson for $name {
            fn from_json(
                value: ::serde_json::Value,
                at: &$crate::Pointer<'_>,
            ) -> Result<Self, $crate::ParseError> {
                let text = $crate::json::scalar::text(value, at, &Self::RULE)?;
                Self::new(text).map_err(|invalid| $crate::ParseError::invalid(&invalid, at))
            }
        }
    )*};
}

/// What an enumeration of words implements.
macro_rules! word_traits {
    ($($name:ident),* $(,)?) => {$(
        impl ::std::fmt::Display for $name {
            fn fmt(&self, out: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                out.pad(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::Invalid;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                let known = Self::ALL.iter().find(|known| known.as_str() == word);
                known.copied().ok_or_else(|| Self::RULE.refuse_text(word))
            }
        }

        impl $crate::FromJson for $name {
            fn from_json(
                value: ::serde_json::Value,
                at: &$crate::Pointer<'_>,
            ) -> Result<Self, $crate::ParseError> {
                let word = $crate::json::scalar::text(value, at, &Self::RULE)?;
                word.parse().map_err(|invalid| $crate::ParseError::invalid(&invalid, at))
            }
        }
    )*};
}

/// Conversions between an observed type and the documented one of the same name.
///
/// They lead through JSON, which is by definition what both types agree on.
macro_rules! convert {
    ($($name:ident),* $(,)?) => {$(
        impl From<$crate::documented::$name> for $name {
            fn from(documented: $crate::documented::$name) -> Self {
                ::serde_json::to_value(documented)
                    .map_err(|fault| fault.to_string())
                    .and_then(|value| $crate::FromJson::parse(value).map_err(|fault| fault.to_string()))
                    .expect("the observed profile accepts every documented value")
            }
        }

        impl TryFrom<$name> for $crate::documented::$name {
            type Error = $crate::ParseError;

            /// Fails on what the documented profile does not allow, unknown members included.
            fn try_from(observed: $name) -> Result<Self, Self::Error> {
                let value = ::serde_json::to_value(observed).expect("its maps have text for keys");
                $crate::FromJson::parse(value)
            }
        }
    )*};
}

pub(crate) use {convert, deserialize, integer_traits, text_traits, word_traits};
