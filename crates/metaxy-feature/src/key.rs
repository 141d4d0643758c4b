//! Keys of features and fields.
//!
//! A key that exists is valid: at least one part; each part of `a-z`, `0-9`, `_` and `-`, without `__`; the
//! first part starts with a letter or `_`, the others with a letter, a digit or `_`. Python Metaxy has the
//! same rules (`models/types.py`), but lets a newline at the end of a part and a key without parts pass.

use std::{cmp::Ordering, fmt, str::FromStr};

use crate::{Error, Result, messages};

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The key made of these parts.
            ///
            /// # Errors
            ///
            /// If there is no part, or one breaks the naming rules.
            pub fn from_parts<S: AsRef<str>>(parts: impl IntoIterator<Item = S>) -> Result<Self> {
                let parts: Vec<S> = parts.into_iter().collect();
                let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
                check(&parts)?;
                Ok(Self(parts.join("/").into()))
            }

            /// The key's text, its parts joined by `/`; no two keys share it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The parts, at least one.
            pub fn parts(&self) -> impl Iterator<Item = &str> {
                self.0.split('/')
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::from_parts(text.split('/'))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.parts().cmp(other.parts())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    };
}

key! {
    /// The key of a feature, as in `video/raw`.
    ///
    /// Keys are ordered by their parts, not by their text.
    ///
    /// ```
    /// use metaxy_feature::FeatureKey;
    ///
    /// let key: FeatureKey = "audio/src-1".parse()?;
    /// assert_eq!(key.table_name(), "audio__src_1");
    /// assert_eq!(key.column_suffix(), "__audio_src-1");
    /// assert!(key < "audio-2".parse()?);
    /// assert_eq!(key, FeatureKey::from_parts(["audio", "src-1"])?);
    /// # Ok::<(), metaxy_feature::Error>(())
    /// ```
    FeatureKey
}

impl FeatureKey {
    /// The name of the feature's table: parts joined by `__`, with `_` for `-`.
    ///
    /// Two keys can share it (`a-b` and `a_b`); a [`FeatureGraph`](crate::FeatureGraph) holds no such two.
    pub fn table_name(&self) -> String {
        self.0.replace('-', "_").replace('/', "__")
    }

    /// What Python Metaxy appends to the system columns of this upstream feature: `__` and parts joined by `_`.
    pub fn column_suffix(&self) -> String {
        format!("__{}", self.0.replace('/', "_"))
    }
}

key! {
    /// The key of a field of a feature, as in `audio/english`.
    ///
    /// Keys are ordered by their parts, not by their text.
    ///
    /// ```
    /// use metaxy_feature::FieldKey;
    ///
    /// let key: FieldKey = "audio/english".parse()?;
    /// assert_eq!(key.struct_key(), "audio_english");
    /// # Ok::<(), metaxy_feature::Error>(())
    /// ```
    FieldKey
}

impl FieldKey {
    /// The member of this field in the `*_by_field` structs: parts joined by `_`, `-` kept.
    ///
    /// Two keys can share it (`a/b` and `a_b`); a [`FeatureSpec`](crate::FeatureSpec) holds no such two.
    pub fn struct_key(&self) -> String {
        self.0.replace('/', "_")
    }

    /// The key of the field of a feature that names none.
    pub(crate) fn default_field() -> Self {
        Self("default".into())
    }

    /// Whether the parts of `suffix` are this key's last parts.
    pub(crate) fn ends_with(&self, suffix: &Self) -> bool {
        self.0.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    }
}

fn check(parts: &[&str]) -> Result<()> {
    let key = parts.join("/");
    if parts.is_empty() {
        return Err(messages::key_empty_part(&key).into());
    }
    for (index, part) in parts.iter().enumerate() {
        let Some(start) = part.chars().next() else {
            return Err(messages::key_empty_part(&key).into());
        };
        if !part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')) {
            return Err(messages::key_characters(&key, part).into());
        }
        if start == '-' || (index == 0 && start.is_ascii_digit()) {
            return Err(messages::key_start(&key, part, index == 0).into());
        }
        if part.contains("__") {
            return Err(messages::key_double_underscore(&key, part).into());
        }
    }
    Ok(())
}
