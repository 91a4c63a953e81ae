//! `--device`: a name and an optional number, checked against what was compiled in.

use anyhow::{Result, bail};
use burn::tensor::Device;

use crate::args::Compute;
use crate::console::Usage;

/// One kind of device: its name on the command line, the cargo feature, and how to open number `n`.
struct Kind {
    name: &'static str,
    compiled: bool,
    open: fn(Option<usize>) -> Option<Device>,
}

static KINDS: &[Kind] = &[
    Kind { name: "cpu", compiled: cfg!(feature = "cpu"), open: open_cpu },
    Kind { name: "cuda", compiled: cfg!(feature = "cuda"), open: open_cuda },
    Kind { name: "vulkan", compiled: cfg!(feature = "vulkan"), open: open_vulkan },
    Kind { name: "metal", compiled: cfg!(feature = "metal"), open: open_metal },
    Kind { name: "rocm", compiled: cfg!(feature = "rocm"), open: open_rocm },
];

/// Sets the number of threads and opens the device that the command line names.
pub(crate) fn open(compute: &Compute) -> Result<Device> {
    #[cfg(feature = "cpu")]
    if let Some(threads) = compute.threads.map(usize::from) {
        // Fails only when the pool exists already; each process opens its device once.
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
        swath_kernels::set_threads(threads);
    }
    let (name, number) = parse(&compute.device)?;
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        bail!(Usage(format!("unknown device '{name}'; devices are {}", names.join(", "))));
    };
    if !kind.compiled {
        bail!(Usage(format!(
            "this swath was built without {name}; build it with: cargo install --path crates/swath-cli --features {name}"
        )));
    }
    match (kind.open)(number) {
        Some(device) => Ok(device),
        None => bail!(Usage(format!("the device {name} takes no number; write --device {name}"))),
    }
}

fn parse(text: &str) -> Result<(&str, Option<usize>)> {
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((name, number)) => match number.parse() {
            Ok(number) => Ok((name, Some(number))),
            Err(_) => bail!(Usage(format!("'{number}' in --device {text} is not a device number; write {name}:0"))),
        },
    }
}

#[cfg(feature = "cpu")]
fn open_cpu(number: Option<usize>) -> Option<Device> {
    number.is_none().then(Device::flex)
}

#[cfg(feature = "cuda")]
fn open_cuda(number: Option<usize>) -> Option<Device> {
    Some(Device::cuda(number.unwrap_or(0)))
}

#[cfg(feature = "vulkan")]
fn open_vulkan(number: Option<usize>) -> Option<Device> {
    Some(Device::vulkan(gpu(number)))
}

#[cfg(feature = "metal")]
fn open_metal(number: Option<usize>) -> Option<Device> {
    Some(Device::metal(gpu(number)))
}

#[cfg(feature = "rocm")]
fn open_rocm(number: Option<usize>) -> Option<Device> {
    Some(Device::rocm(number.unwrap_or(0)))
}

#[cfg(any(feature = "vulkan", feature = "metal"))]
fn gpu(number: Option<usize>) -> burn::tensor::DeviceKind {
    match number {
        Some(number) => burn::tensor::DeviceKind::DiscreteGpu(number),
        None => burn::tensor::DeviceKind::DefaultDevice,
    }
}

macro_rules! absent {
    ($($feature:literal: $open:ident),*) => {
        $(#[cfg(not(feature = $feature))]
        fn $open(_: Option<usize>) -> Option<Device> {
            None
        })*
    };
}

absent!("cpu": open_cpu, "cuda": open_cuda, "vulkan": open_vulkan, "metal": open_metal, "rocm": open_rocm);

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn device_numbers_are_read() {
        assert_eq!(parse("cpu").unwrap(), ("cpu", None));
        assert_eq!(parse("cuda:1").unwrap(), ("cuda", Some(1)));
        assert!(parse("cuda:x").unwrap_err().to_string().contains("cuda:0"));
    }
}
