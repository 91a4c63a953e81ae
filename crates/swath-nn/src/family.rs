//! Families: closed sets of encoders and decoders that recipes choose from by name.
//!
//! [`family!`](crate::family) declares one. It makes the config enum that a recipe holds, the module enum that the
//! network holds, the methods that hand a call to the member, and the list of members for messages and `swath models`.

/// What a feature map looks like: data that is known before any tensor exists.
///
/// An encoder hands on one feature map a level, finest first; `stride` is the number of input pixels a side that one
/// of its pixels stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Number of channels.
    pub channels: usize,
    /// Input pixels per feature pixel, along each side.
    pub stride: usize,
    /// Whether 2x2 max-pooling of this map leads to the next level, so that the encoder can hand on where its maxima stood.
    pub pooled: bool,
    /// Input pixels on each side that the map does not reach, since convolutions without padding have kept away from the
    /// edge: it has `(H - 2 margin) / stride` rows. Zero with padded convolutions.
    pub margin: usize,
}

impl Level {
    /// A level that no max-pooling of 2x2 follows.
    pub const fn new(channels: usize, stride: usize) -> Self {
        Self { channels, stride, pooled: false, margin: 0 }
    }

    /// The level with max-pooling of 2x2 behind it.
    pub const fn pooled(self) -> Self {
        Self { pooled: true, ..self }
    }

    /// The index of the deepest level of a stride.
    ///
    /// Decoders find their inputs with this and never by position, so that they work with every encoder.
    ///
    /// ```
    /// use swath_nn::Level;
    /// let levels = [Level::new(8, 4), Level::new(16, 8), Level::new(32, 8)];
    /// assert_eq!(Level::find(&levels, 8), Some(2));
    /// assert_eq!(Level::find(&levels, 2), None);
    /// ```
    pub fn find(levels: &[Level], stride: usize) -> Option<usize> {
        levels.iter().rposition(|level| level.stride == stride)
    }

    /// The coarsest stride of an encoder's levels (1 when there are none).
    pub fn coarsest(levels: &[Level]) -> usize {
        levels.iter().map(|level| level.stride).max().unwrap_or(1)
    }

    /// The strides as people read them: `4, 8 and 16`.
    pub(crate) fn strides(levels: &[Level]) -> String {
        let strides: Vec<String> = levels.iter().map(|level| level.stride.to_string()).collect();
        match strides.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            Some((last, _)) => last.clone(),
            None => "none".into(),
        }
    }
}

/// A member of a family, for lists and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name that recipes use.
    pub name: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
}

/// Why a network cannot be built. Found before anything is allocated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FamilyError {
    /// An option of a member has a value that it cannot take.
    #[error("{member}: `{option} = {value}` is not possible: {reason}; nearest valid choice: {nearest}")]
    Option {
        /// The member, as in `encoder resnet`.
        member: &'static str,
        /// The key in the recipe.
        option: &'static str,
        /// The value found.
        value: String,
        /// Why it is refused.
        reason: String,
        /// What to write instead: `` `key = value` `` of the same member, or as in [`Pair`](Self::Pair).
        nearest: String,
    },
    /// An encoder and a decoder do not fit together.
    #[error("decoder {decoder} does not fit this encoder: {reason}; nearest valid choice: {nearest}")]
    Pair {
        /// The decoder's name.
        decoder: &'static str,
        /// What is missing.
        reason: String,
        /// What to choose instead: `` `key = value` `` of the decoder or, with its name, of the encoder; or another member.
        nearest: String,
    },
}

impl FamilyError {
    /// The key of a recipe that the error is about, such as `model.encoder.resnet.depth`; that of a pair is the decoder's.
    ///
    /// ```
    /// use swath_nn::{SegmenterConfig, decoder::unet::UnetConfig, encoder::resnet::ResnetConfig};
    /// let resnet = ResnetConfig { depth: 40, ..ResnetConfig::default() };
    /// let refusal = SegmenterConfig::new(resnet, UnetConfig::default(), 4, 2).validate().unwrap_err();
    /// assert_eq!(refusal.key(), "model.encoder.resnet.depth");
    /// ```
    pub fn key(&self) -> String {
        match self {
            Self::Option { member: "network", .. } => "model".into(),
            Self::Option { member, option, .. } => format!("model.{}.{option}", member.replace(' ', ".")),
            Self::Pair { decoder, .. } => format!("model.decoder.{decoder}"),
        }
    }

    /// With another proposal.
    pub(crate) fn with_nearest(mut self, words: String) -> Self {
        let (Self::Option { nearest, .. } | Self::Pair { nearest, .. }) = &mut self;
        *nearest = words;
        self
    }
}

/// Declares a family. Invoked once for encoders (`encoder.rs`) and once for decoders (`decoder.rs`).
///
/// - `config` lists the methods of every member's config, `module` those of every member's module; `init` the
///   arguments that a config takes to make its module.
/// - `members` has one line a member: a summary, the name in recipes, the variant with the config and module types.
macro_rules! family {
    (
        $(#[$config_doc:meta])*
        config $config:ident as $kind:literal {
            init($($init_arg:ident: $init_type:ty),*);
            $( $(#[$config_fn_doc:meta])* fn $config_fn:ident($($config_arg:ident: $config_type:ty),*) -> $config_out:ty; )*
        }
        $(#[$module_doc:meta])*
        module $module:ident {
            $( $(#[$module_fn_doc:meta])* fn $module_fn:ident($($module_arg:ident: $module_type:ty),*) -> $module_out:ty; )*
        }
        members $members:tt
    ) => {
        family!(@enums [$(#[$config_doc])*] $config $kind [$(#[$module_doc])*] $module $members);

        impl $config {
            /// Makes the module. Its parameters hold zeros until [`weights`](crate::weights) fills them;
            /// [`SegmenterConfig::init`](crate::SegmenterConfig::init) validates first and fills them.
            pub fn init(&self, $($init_arg: $init_type),*) -> $module {
                family!(@init self, $module, ($($init_arg),*), $members)
            }

            $(
                $(#[$config_fn_doc])*
                pub fn $config_fn(&self, $($config_arg: $config_type),*) -> $config_out {
                    family!(@call self, $config_fn, ($($config_arg),*), $members)
                }
            )*
        }

        impl $module {
            $(
                $(#[$module_fn_doc])*
                pub fn $module_fn(&self, $($module_arg: $module_type),*) -> $module_out {
                    family!(@call self, $module_fn, ($($module_arg),*), $members)
                }
            )*
        }
    };
    (
        @enums [$(#[$config_doc:meta])*] $config:ident $kind:literal [$(#[$module_doc:meta])*] $module:ident
        { $( #[doc = $summary:literal] $name:literal => $variant:ident($member_config:ty, $member:ty), )+ }
    ) => {
        $(#[$config_doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum $config {
            $( #[doc = $summary] #[serde(rename = $name)] $variant($member_config), )+
        }

        impl $config {
            /// Every member, in the order of the lists that people see.
            pub const MEMBERS: &'static [$crate::Member] =
                &[$( $crate::Member { name: $name, summary: $summary.trim_ascii() } ),+];

            /// The member's name in recipes.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$variant(_) => $name, )+ }
            }

            /// What kind of member it is, and its name, as messages have them.
            pub(crate) fn title(&self) -> &'static str {
                match self { $( Self::$variant(_) => concat!($kind, " ", $name), )+ }
            }

            /// Every member with its default options.
            pub fn defaults() -> Vec<Self> {
                vec![$( Self::$variant(<$member_config>::default()) ),+]
            }
        }

        $( impl From<$member_config> for $config {
            fn from(config: $member_config) -> Self { Self::$variant(config) }
        } )+

        $(#[$module_doc])*
        #[derive(burn::module::Module, Debug)]
        #[allow(clippy::large_enum_variant, reason = "a network holds one of each, so the size does not matter")]
        pub enum $module {
            $( #[doc = $summary] $variant($member), )+
        }
    };
    (@init $self:ident, $module:ident, $args:tt, { $( #[doc = $_s:literal] $_n:literal => $variant:ident($_c:ty, $_m:ty), )+ }) => {
        match $self { $( Self::$variant(config) => $module::$variant(config.init $args), )+ }
    };
    (@call $self:ident, $method:ident, $args:tt, { $( #[doc = $_s:literal] $_n:literal => $variant:ident($_c:ty, $_m:ty), )+ }) => {
        match $self { $( Self::$variant(member) => member.$method $args, )+ }
    };
}
pub(crate) use family;
