//! Descriptions of catalogs and storages whose fields have names, as a configuration file gives them.
//!
//! A field is written once, in the struct of its description: its name, its type and what it means. Whoever reads a
//! description from a file, shows it or writes a schema of it goes over [`Spec::FIELDS`] and [`Spec::values`].

use crate::value::{Parameters, Secret};

/// A description whose fields have names.
///
/// ```
/// use ducklake_sql::{FieldValue, S3Spec, Spec};
///
/// let mut spec = S3Spec::default();
/// for (field, value) in S3Spec::FIELDS.iter().zip(spec.values()) {
///     match (field.name, value) {
///         ("secret_name", FieldValue::Required(name)) => *name = "s3".to_owned(),
///         ("bucket", FieldValue::String(bucket)) => *bucket = Some("bucket".to_owned()),
///         _ => {}
///     }
/// }
/// assert_eq!(spec.build()?.path().as_str(), "s3://bucket/");
/// # Ok::<(), ducklake_sql::Problems>(())
/// ```
pub trait Spec: Default {
    /// Every field, in the order in which it is shown.
    const FIELDS: &'static [Field];

    /// The value of every field, in the order of [`FIELDS`](Self::FIELDS).
    fn values(&mut self) -> Vec<FieldValue<'_>>;
}

/// A field of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// Its name in a configuration file, which problems have, too.
    pub name: &'static str,
    /// What it is, as one sentence.
    pub meaning: &'static str,
    /// The type of its value.
    pub kind: FieldKind,
    /// The values that exist; empty where any is fine.
    pub choices: &'static [&'static str],
}

/// The type of a [`Field`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldKind {
    /// A string that cannot be left out.
    Required,
    /// A string.
    String,
    /// A string that is shown to nobody.
    Secret,
    /// The number of a port.
    Port,
    /// True or false.
    Boolean,
    /// A table of further parameters.
    Parameters,
}

/// The value of a [`Field`], to be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// Of [`FieldKind::Required`]; empty where it is missing.
    Required(&'a mut String),
    /// Of [`FieldKind::String`].
    String(&'a mut Option<String>),
    /// Of [`FieldKind::Secret`].
    Secret(&'a mut Option<Secret>),
    /// Of [`FieldKind::Port`].
    Port(&'a mut Option<u16>),
    /// Of [`FieldKind::Boolean`].
    Boolean(&'a mut Option<bool>),
    /// Of [`FieldKind::Parameters`].
    Parameters(&'a mut Parameters),
}

impl Field {
    pub(crate) const fn new(
        name: &'static str,
        meaning: &'static str,
        kind: FieldKind,
        choices: &'static [&'static str],
    ) -> Self {
        Self { name, meaning, kind, choices }
    }
}

/// A type that fields have.
pub(crate) trait FieldType {
    const KIND: FieldKind;

    fn value(&mut self) -> FieldValue<'_>;
}

macro_rules! field_types {
    ($($type:ty => $kind:ident),+ $(,)?) => {$(
        impl FieldType for $type {
            const KIND: FieldKind = FieldKind::$kind;

            fn value(&mut self) -> FieldValue<'_> {
                FieldValue::$kind(self)
            }
        }
    )+};
}

field_types! {
    String => Required,
    Option<String> => String,
    Option<Secret> => Secret,
    Option<u16> => Port,
    Option<bool> => Boolean,
    Parameters => Parameters,
}

/// Defines the struct of a description and implements [`Spec`] for it. A field may have another name in files (`as name`)
/// and a few values that exist (`in CHOICES`); fields after `unnamed` are not read from files.
macro_rules! spec {
    (
        $(#[$attribute:meta])*
        pub struct $type:ident {
            $($(#[doc = $doc:literal])+ pub $field:ident $(as $name:ident)? $(in $choices:ident)?: $kind:ty,)+
        }
        $(unnamed { $($(#[doc = $unnamed_doc:literal])+ pub $unnamed:ident: $unnamed_kind:ty,)+ })?
    ) => {
        $(#[$attribute])*
        pub struct $type {
            $($(#[doc = $doc])+ pub $field: $kind,)+
            $($($(#[doc = $unnamed_doc])+ pub $unnamed: $unnamed_kind,)+)?
        }

        impl $crate::spec::Spec for $type {
            const FIELDS: &'static [$crate::spec::Field] = &[$(
                $crate::spec::Field::new(
                    $crate::spec::spec!(@name $field $($name)?),
                    concat!($($doc),+).trim_ascii(),
                    <$kind as $crate::spec::FieldType>::KIND,
                    $crate::spec::spec!(@choices $($choices)?),
                ),
            )+];

            fn values(&mut self) -> Vec<$crate::spec::FieldValue<'_>> {
                vec![$($crate::spec::FieldType::value(&mut self.$field)),+]
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:ident) => { stringify!($name) };
    (@choices) => { &[] };
    (@choices $choices:ident) => { $choices };
}
pub(crate) use spec;
