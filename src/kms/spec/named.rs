/// A type whose values bear AWS's names: in requests, answers and stored records alike.
macro_rules! named {
    ($(#[$of_type:meta])* $type:ident { $($(#[$of_value:meta])* $value:ident = $name:literal,)* }) => {
        $(#[$of_type])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub(in crate::kms) enum $type {
            $($(#[$of_value])* #[serde(rename = $name)] $value,)*
        }

        impl $type {
            /// AWS's name for it.
            pub(in crate::kms) const fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $name,)*
                }
            }

            /// The value of that name.
            pub(in crate::kms) fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$value),)*
                    _ => None,
                }
            }
        }
    };
}

pub(super) use named;
