//! GDAL options for the length of a scope.

use gdal::config::{clear_thread_local_config_option, get_thread_local_config_option, set_thread_local_config_option};

/// Sets a GDAL option of this thread until dropped.
#[derive(Debug)]
pub(crate) struct ConfigScope {
    key: &'static str,
    before: Option<String>,
}

impl ConfigScope {
    /// `key` and `value` hold no NUL.
    pub(crate) fn set(key: &'static str, value: &str) -> ConfigScope {
        let before = get_thread_local_config_option(key, "").ok().filter(|value| !value.is_empty());
        // Only a NUL in the texts can fail.
        let _ = set_thread_local_config_option(key, value);
        ConfigScope { key, before }
    }
}

impl Drop for ConfigScope {
    fn drop(&mut self) {
        let _ = match &self.before {
            Some(value) => set_thread_local_config_option(self.key, value),
            None => clear_thread_local_config_option(self.key),
        };
    }
}
