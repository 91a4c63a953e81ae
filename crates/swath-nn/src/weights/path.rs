//! Names of parameters, built while walking through a network.

/// Where a walk stands: the fields entered and the types that hold them.
#[derive(Default)]
pub(super) struct Path {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Path {
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        // A variant of a family is the recipe's choice and no part of the name.
        if !is_family(container) {
            self.names.push(name.to_string());
        }
        self.containers.push(container.to_string());
    }

    pub(super) fn exit(&mut self, container: &str) {
        if !is_family(container) {
            self.names.pop();
        }
        self.containers.pop();
    }

    /// `encoder.layer1.0.conv1.weight`
    pub(super) fn name(&self) -> String {
        self.names.join(".")
    }

    /// The last part of the name: the field of the layer that holds the parameter.
    pub(super) fn field(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// Whether the parameter lies in a struct of this name, at any depth.
    pub(super) fn within(&self, name: &str) -> bool {
        self.containers.iter().any(|container| container.strip_prefix("Struct:") == Some(name))
    }
}

fn is_family(container: &str) -> bool {
    container.starts_with("Enum:")
}

/// FNV-1a, 64 bits.
pub(super) fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
