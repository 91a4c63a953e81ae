//! The names of Python that a pickle holds: those that put plain weights together, those that do no harm while nothing is called, and
//! those that only an attack needs.

use super::tensor::DType;

/// The names of Python that the machine knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    OrderedDict,
    Size,
    RebuildTensor,
    RebuildParameter,
    Storage(DType),
}

/// What a name of Python is here.
pub(super) enum Name {
    /// It makes plain data or a tensor.
    Known(Known),
    /// Weights do not depend on it; printable.
    Unknown(String),
    /// A file with it is not read; printable.
    Refused(String),
}

impl Name {
    /// Sorts a name by its module.
    pub(super) fn new(module: &str, name: &str) -> Name {
        if let Some(known) = known(module, name) {
            return Name::Known(known);
        }
        let full = format!("{}.{}", printable(module), printable(name));
        // What puts tensors together in a way of its own would leave a hole in the weights.
        let tensors = module.starts_with("torch") && name.starts_with("_rebuild");
        if tensors || runs_code(module, name) { Name::Refused(full) } else { Name::Unknown(full) }
    }
}

/// What the machine knows of a name.
fn known(module: &str, name: &str) -> Option<Known> {
    Some(match (module, name) {
        ("collections", "OrderedDict") => Known::OrderedDict,
        ("torch", "Size") => Known::Size,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Known::RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Known::RebuildParameter,
        ("torch" | "torch.cuda", "FloatStorage") => Known::Storage(DType::F32),
        ("torch" | "torch.cuda", "DoubleStorage") => Known::Storage(DType::F64),
        ("torch" | "torch.cuda", "HalfStorage") => Known::Storage(DType::F16),
        ("torch" | "torch.cuda", "BFloat16Storage") => Known::Storage(DType::Bf16),
        ("torch" | "torch.cuda", "LongStorage") => Known::Storage(DType::Whole(8)),
        ("torch" | "torch.cuda", "IntStorage") => Known::Storage(DType::Whole(4)),
        ("torch" | "torch.cuda", "ShortStorage") => Known::Storage(DType::Whole(2)),
        ("torch" | "torch.cuda", "CharStorage" | "ByteStorage" | "BoolStorage") => Known::Storage(DType::Whole(1)),
        _ => return None,
    })
}

/// Whether no checkpoint has a use for a name that reaches the system, the interpreter or the network. Nothing is called in any
/// case; such a file is refused because it was made to do harm where it is loaded in Python.
fn runs_code(module: &str, name: &str) -> bool {
    match (module.split('.').next().unwrap_or_default(), name) {
        (
            "builtins" | "__builtin__",
            "set" | "frozenset" | "list" | "dict" | "tuple" | "bytes" | "bytearray" | "str",
        ) => false,
        (
            "builtins" | "__builtin__",
            "int" | "float" | "complex" | "bool" | "slice" | "range" | "xrange" | "object",
        ) => false,
        ("builtins" | "__builtin__", _) => true,
        ("os" | "posix" | "nt" | "sys" | "subprocess" | "commands" | "shutil" | "pty" | "multiprocessing", _) => true,
        ("importlib" | "imp" | "runpy" | "code" | "codeop" | "ctypes" | "marshal" | "pickle" | "_pickle", _) => true,
        ("socket" | "asyncio" | "urllib" | "webbrowser", _) => true,
        _ => false,
    }
}

/// That a file needs Python to be understood.
pub(super) fn more_than_weights(object: &str) -> String {
    format!("it holds the Python object `{object}`, which is more than plain weights: {SAVE_WEIGHTS}")
}

/// Names come from the file: at most 80 visible characters of them go into a message.
fn printable(name: &str) -> String {
    name.chars().take(80).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

pub(super) const SAVE_WEIGHTS: &str =
    "if you trust it, load it in Python and save its weights alone with torch.save(model.state_dict(), FILE)";
