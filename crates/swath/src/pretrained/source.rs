//! A file with weights, of whatever kind.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata};
use sha2::{Digest, Sha256};

use super::checkpoint::{self, Beside, Checkpoint};
use super::tensor::{DType, Tensor};
use crate::error::{Error, Result};

/// An open file and the tensors in it.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    file: File,
    /// In the order of their names.
    pub(super) tensors: Vec<(String, Tensor)>,
    /// The texts of a safetensors file.
    pub(super) texts: Vec<(String, String)>,
    /// What else a file of torch.save holds.
    pub(super) beside: Beside,
}

impl Source {
    /// Reads which tensors a file holds, but none of their values.
    pub(super) fn open(path: &Path) -> Result<Source> {
        let mut file = File::open(path).map_err(Error::io("read", path))?;
        let wrong = |problem| Error::Pretrained { path: path.to_path_buf(), problem };
        let mut start = Vec::new();
        file.by_ref().take(9).read_to_end(&mut start).map_err(Error::io("read", path))?;
        let mut texts = Texts::new();
        let found = match start.as_slice() {
            [_, _, _, _, _, _, _, _, b'{'] => safetensors(&mut file).map(|(tensors, found)| {
                texts = found;
                Checkpoint { tensors, beside: Beside::default() }
            }),
            [b'P', b'K', 3, 4, ..] => checkpoint::zipped(&mut file),
            [0x80, ..] => checkpoint::legacy(&mut file),
            _ => Err(UNKNOWN.to_string()),
        };
        let Checkpoint { tensors, beside } = found.map_err(wrong)?;
        if tensors.is_empty() {
            return Err(wrong(
                "it holds no tensors by name: save a network's state_dict() or a dictionary with it".into(),
            ));
        }
        if tensors.len() > MOST_TENSORS {
            let found = tensors.len();
            return Err(wrong(format!("it holds {found} tensors, and no network has more than {MOST_TENSORS}")));
        }
        Ok(Source { path: path.to_path_buf(), file, tensors, texts, beside })
    }

    /// The values of a tensor, by its position.
    pub(super) fn read(&mut self, index: usize) -> Result<Vec<f32>> {
        let (name, tensor) = &self.tensors[index];
        let wrong = |problem: &str| Error::Pretrained {
            path: self.path.clone(),
            problem: format!("`{}` {problem}", name.escape_debug()),
        };
        let values = tensor.read(&mut BufReader::new(&mut self.file)).map_err(|problem| wrong(&problem))?;
        if values.is_empty() {
            return Err(wrong("is empty: the file is damaged; copy it again"));
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(wrong(
                "holds values that are not finite numbers: its training diverged or the file is damaged",
            ));
        }
        Ok(values)
    }

    /// SHA-256 of the whole file, in hexadecimal digits.
    pub(super) fn digest(&mut self) -> Result<String> {
        let read = |error| Error::io("read", &self.path)(error);
        self.file.seek(SeekFrom::Start(0)).map_err(read)?;
        let mut digest = Sha256::new();
        std::io::copy(&mut self.file, &mut digest).map_err(read)?;
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

const UNKNOWN: &str = "it is neither a safetensors file nor one of torch.save (.pth, .pt, .bin): convert it in Python";

type Tensors = Vec<(String, Tensor)>;
type Texts = Vec<(String, String)>;

/// Tensors and texts of a safetensors file; only its header is read.
fn safetensors(file: &mut File) -> std::result::Result<(Tensors, Texts), String> {
    let cut = || "it is not a whole safetensors file: it may be cut off; copy it again".to_string();
    let length = file.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    file.seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
    let mut header_length = [0; 8];
    file.read_exact(&mut header_length).map_err(|_| cut())?;
    let header_length = u64::from_le_bytes(header_length);
    let data = header_length.checked_add(8).filter(|&data| data <= length.min(MOST_HEADER)).ok_or_else(cut)?;
    let mut header = Vec::new();
    file.by_ref().take(header_length).read_to_end(&mut header).map_err(|_| cut())?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|_| cut())?;
    let texts = metadata.metadata().iter().flatten().map(|(key, text)| (key.clone(), text.clone())).collect();
    let mut tensors: Tensors = Vec::new();
    for (name, info) in metadata.tensors() {
        let dtype = match info.dtype {
            Dtype::F64 => DType::F64,
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::Bf16,
            other => DType::Whole(u8::try_from(other.bitsize().div_ceil(8)).unwrap_or(1)),
        };
        let count = info.shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size as u64)).ok_or_else(cut)?;
        let (start, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        let fits = matches!(dtype, DType::Whole(_)) || count.checked_mul(dtype.bytes()) == end.checked_sub(start);
        if !fits || end > length - data {
            return Err(cut());
        }
        tensors.push((name, Tensor::contiguous(info.shape.clone(), dtype, data + start)));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((tensors, texts))
}

/// Ten times what large networks have. Names are tried in several readings, which takes time with each of them.
const MOST_TENSORS: usize = 20_000;

/// The longest header of a safetensors file, as the format's own reader has it.
const MOST_HEADER: u64 = 100_000_000;
