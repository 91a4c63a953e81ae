//! Files of `torch.save`: the zip archive of PyTorch 1.6 and later, and the row of pickles before it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use super::archive;
use super::names::more_than_weights;
use super::pickle::{self, Pickle, Value};
use super::states::States;
use super::tensor::Tensor;

/// What the first pickle of an old file holds.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// What a file of `torch.save` holds.
#[derive(Debug)]
pub(super) struct Checkpoint {
    /// Names and tensors of the network's dictionary, in the order of their names.
    pub(super) tensors: Vec<(String, Tensor)>,
    /// Where it stands, and what else is there.
    pub(super) beside: Beside,
}

/// What surrounds a network's weights in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Beside {
    /// The key of the dictionary that was taken; nothing where it is the whole file.
    pub(super) place: String,
    /// Keys of other dictionaries with tensors, and how many.
    pub(super) others: Vec<(String, usize)>,
    /// Python objects that were passed over, by their names.
    pub(super) objects: Vec<String>,
}

/// The tensors of a zip archive.
pub(super) fn zipped(file: &mut File) -> Result<Checkpoint, String> {
    let files = archive::files(file)?;
    let data = |name: &str| name == "data.pkl" || name.ends_with("/data.pkl");
    let Some(name) = files.keys().find(|name| data(name)) else {
        return Err("it is a zip archive but not one of torch.save: it lacks `data.pkl`".to_string());
    };
    let folder = &name[..name.len() - "data.pkl".len()];
    if files.contains_key(&format!("{folder}constants.pkl")) {
        return Err("it is a TorchScript program: in Python, save its weights alone with \
                    torch.save(torch.jit.load(FILE).state_dict(), NEW_FILE)"
            .to_string());
    }
    // TorchScript compresses its code, plain weights nothing.
    if let Some((name, _)) = files.iter().find(|(_, range)| range.is_none()) {
        return Err(format!(
            "its part `{}` is compressed, which torch.save never does: save it again with torch.save",
            name.escape_debug()
        ));
    }
    let part = |name: &str| files.get(&format!("{folder}{name}")).cloned().flatten();
    let range = part("data.pkl").ok_or_else(|| lacks("data.pkl"))?;
    if let Some(order) = part("byteorder")
        && bytes(file, &order)? != b"little"
    {
        return Err(BIG_ENDIAN.to_string());
    }
    file.seek(SeekFrom::Start(range.start)).map_err(|error| error.to_string())?;
    let pickle = pickle::read(&mut BufReader::new(file.by_ref().take(range.end - range.start)))?;
    place(&pickle, |storage| {
        let range = part(&format!("data/{}", storage.key)).ok_or_else(|| lacks(&storage.key))?;
        let length = storage.elements.checked_mul(storage.dtype.bytes()).ok_or_else(|| lacks(&storage.key))?;
        if range.end - range.start < length { Err(lacks(&storage.key)) } else { Ok(range.start) }
    })
}

/// The tensors of a row of pickles: a magic number, a version, facts on the machine, the object, and the keys of its
/// storages, whose values follow.
pub(super) fn legacy(file: &mut File) -> Result<Checkpoint, String> {
    let end = file.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    file.seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
    let mut input = BufReader::new(file);
    if pickle::read(&mut input)?.root() != &Value::Int(MAGIC) {
        return Err("it is a pickle but none of torch.save".to_string());
    }
    if pickle::read(&mut input)?.root() != &Value::Int(1001) {
        return Err("it has an unknown version of torch.save's format".to_string());
    }
    let machine = pickle::read(&mut input)?;
    if !is_little_endian(&machine) {
        return Err(BIG_ENDIAN.to_string());
    }
    let pickle = pickle::read(&mut input)?;
    let keys = pickle::read(&mut input)?;
    let starts = storage_starts(&pickle, &keys, &mut input, end)?;
    place(&pickle, |storage| match starts.get(storage.key.as_str()) {
        Some((start, elements)) if *elements >= storage.elements => Ok(*start),
        _ => Err(lacks(&storage.key)),
    })
}

fn is_little_endian(machine: &Pickle) -> bool {
    let Value::Dict(pairs) = machine.root() else { return false };
    let says = |key: usize| machine.values[key] == Value::Text("little_endian".to_string());
    pairs.iter().any(|&(key, value)| says(key) && machine.values[value] == Value::Bool(true))
}

/// First byte and number of values of every storage, by key.
fn storage_starts<'a>(
    pickle: &Pickle,
    keys: &'a Pickle,
    input: &mut BufReader<&mut File>,
    end: u64,
) -> Result<HashMap<&'a str, (u64, u64)>, String> {
    let sizes: HashMap<&str, u64> = (pickle.values.iter())
        .filter_map(|value| match value {
            Value::Storage(storage) => Some((storage.key.as_str(), storage.dtype.bytes())),
            _ => None,
        })
        .collect();
    let Value::List(list) = keys.root() else { return Err(lacks("keys")) };
    let mut starts = HashMap::new();
    let mut place = input.stream_position().map_err(|error| error.to_string())?;
    for &key in list {
        let Value::Text(key) = &keys.values[key] else { return Err(lacks("keys")) };
        let size = sizes.get(key.as_str()).ok_or_else(|| lacks(key))?;
        let mut elements = [0; 8];
        input.seek(SeekFrom::Start(place)).map_err(|_| lacks(key))?;
        input.read_exact(&mut elements).map_err(|_| lacks(key))?;
        let elements = u64::from_le_bytes(elements);
        let next = elements.checked_mul(*size).and_then(|length| length.checked_add(place + 8));
        starts.insert(key.as_str(), (place + 8, elements));
        place = next.filter(|&next| next <= end).ok_or_else(|| lacks(key))?;
    }
    Ok(starts)
}

/// The tensors of a pickle with their places, given where each storage starts.
fn place(pickle: &Pickle, start: impl Fn(&pickle::Storage) -> Result<u64, String>) -> Result<Checkpoint, String> {
    let states = States::of(pickle);
    if let (true, Some(object)) = (states.tensors.is_empty(), pickle.unknown.first()) {
        return Err(more_than_weights(object));
    }
    let mut tensors = BTreeMap::new();
    for (name, tensor) in states.tensors {
        let tensor =
            Tensor::view(tensor, start(&tensor.storage)?).map_err(|why| format!("`{}`: {why}", name.escape_debug()))?;
        tensors.insert(name.to_string(), tensor);
    }
    Ok(Checkpoint {
        tensors: tensors.into_iter().collect(),
        beside: Beside {
            place: states.place,
            others: states.others.into_iter().collect(),
            objects: pickle.unknown.clone(),
        },
    })
}

fn bytes(file: &mut File, range: &Range<u64>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(range.start)).map_err(|error| error.to_string())?;
    file.by_ref().take((range.end - range.start).min(16)).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn lacks(key: &str) -> String {
    format!("it lacks the values of its storage `{}`: it may be cut off; copy it again", key.escape_debug())
}

const BIG_ENDIAN: &str = "it was written by a machine with another order of bytes: save it again on a common machine";
