//! Python pickles as plain data: nothing is run.
//!
//! A pickle is a program for a stack machine that makes objects and may call any function of Python. This machine knows the
//! instructions for plain data, ordered dictionaries and the functions that put PyTorch's tensors together. Whatever else a
//! file names stays a name: calling it gives a value that nothing can be read from. Names that only an attack needs are refused.
//!
//! Values lie in one list and refer to each other by position, so that shared and circular ones cost nothing. How many there
//! may be is limited, and so is the length of a pickle.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use super::names::{Known, Name, SAVE_WEIGHTS, more_than_weights};
use super::tensor::DType;

/// Most bytes of a pickle, values of it and entries of its stack. A network has a few thousand tensors of about thirty values.
const MOST_BYTES: u64 = 32 << 20;
const MOST_VALUES: usize = 1 << 20;
/// Most different names of Python that are unknown.
const MOST_NAMES: usize = 1000;
/// Most bytes of one.
const MOST_NAME: usize = 1000;

/// Position of a value.
pub(super) type Id = usize;

/// What a pickle can hold here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// What weights do not depend on: nothing, numbers with a point, bytes.
    Plain,
    Bool(bool),
    Int(i128),
    Text(String),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Known(Known),
    /// A function, a class or what came of it, by its place among the pickle's unknown names.
    Opaque(usize),
    Storage(Storage),
    Tensor(Tensor),
}

/// Memory of tensors, which lies elsewhere in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) dtype: DType,
    pub(super) elements: u64,
}

/// A view of a storage. Offset and strides count elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) storage: Storage,
    pub(super) offset: u64,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<u64>,
}

/// A whole pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    pub(super) values: Vec<Value>,
    pub(super) root: Id,
    /// Names of Python that the machine does not know, in the order of the file.
    pub(super) unknown: Vec<String>,
}

impl Pickle {
    /// The value that the pickle stands for.
    pub(super) fn root(&self) -> &Value {
        &self.values[self.root]
    }
}

/// Reads one pickle and leaves the input behind it.
pub(super) fn read(input: &mut dyn BufRead) -> Result<Pickle, String> {
    let mut machine = Machine {
        input: input.take(MOST_BYTES),
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        unknown: Vec::new(),
        places: HashMap::new(),
    };
    let root = machine.run()?;
    Ok(Pickle { values: machine.values, root, unknown: machine.unknown })
}

struct Machine<'a> {
    input: std::io::Take<&'a mut dyn BufRead>,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack at its marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    unknown: Vec<String>,
    /// Where each of them stands.
    places: HashMap<String, usize>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Id, String> {
        loop {
            let [code] = self.bytes::<1>()?;
            match code {
                b'.' => return self.pop(),
                // The protocol, and frames, which only say how to buffer.
                0x80 => {
                    self.bytes::<1>()?;
                }
                0x95 => {
                    self.bytes::<8>()?;
                }
                b'N' => self.push(Value::Plain)?,
                0x88 | 0x89 => self.push(Value::Bool(code == 0x88))?,
                b'G' => {
                    self.bytes::<8>()?;
                    self.push(Value::Plain)?;
                }
                b'J' => {
                    let value = i32::from_le_bytes(self.bytes()?);
                    self.push(Value::Int(value.into()))?;
                }
                b'K' => {
                    let [value] = self.bytes()?;
                    self.push(Value::Int(value.into()))?;
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.bytes()?);
                    self.push(Value::Int(value.into()))?;
                }
                0x8a => {
                    let [length] = self.bytes()?;
                    self.integer(length.into())?;
                }
                0x8b => {
                    let length = u32::from_le_bytes(self.bytes()?);
                    self.integer(length.into())?;
                }
                0x8c | b'U' => {
                    let [length] = self.bytes()?;
                    self.text(length.into())?;
                }
                b'X' | b'T' => {
                    let length = u32::from_le_bytes(self.bytes()?);
                    self.text(length.into())?;
                }
                0x8d => {
                    let length = u64::from_le_bytes(self.bytes()?);
                    self.text(length)?;
                }
                b'C' => {
                    let [length] = self.bytes()?;
                    self.skip(length.into())?;
                }
                b'B' => {
                    let length = u32::from_le_bytes(self.bytes()?);
                    self.skip(length.into())?;
                }
                0x8e => {
                    let length = u64::from_le_bytes(self.bytes()?);
                    self.skip(length)?;
                }
                b'(' => {
                    self.marks.push(self.stack.len());
                    self.check_size()?;
                }
                b'0' => {
                    self.pop()?;
                }
                b'1' => {
                    self.pop_mark()?;
                }
                b'2' => {
                    let top = self.pop()?;
                    self.stack.extend([top, top]);
                    self.check_size()?;
                }
                b']' => self.push(Value::List(Vec::new()))?,
                b')' => self.push(Value::Tuple(Vec::new()))?,
                b'}' => self.push(Value::Dict(Vec::new()))?,
                b'l' => {
                    let items = self.pop_mark()?;
                    self.push(Value::List(items))?;
                }
                b't' => {
                    let items = self.pop_mark()?;
                    self.push(Value::Tuple(items))?;
                }
                b'd' => {
                    let items = self.pop_mark()?;
                    self.push(Value::Dict(Vec::new()))?;
                    self.set_items(items)?;
                }
                0x85..=0x87 => {
                    let items = self.pop_many(usize::from(code - 0x84))?;
                    self.push(Value::Tuple(items))?;
                }
                b'a' => {
                    let items = self.pop_many(1)?;
                    self.append(items)?;
                }
                b'e' => {
                    let items = self.pop_mark()?;
                    self.append(items)?;
                }
                b's' => {
                    let items = self.pop_many(2)?;
                    self.set_items(items)?;
                }
                b'u' => {
                    let items = self.pop_mark()?;
                    self.set_items(items)?;
                }
                b'h' => {
                    let [key] = self.bytes()?;
                    self.recall(key.into())?;
                }
                b'j' => {
                    let key = u32::from_le_bytes(self.bytes()?);
                    self.recall(key)?;
                }
                b'q' => {
                    let [key] = self.bytes()?;
                    self.memorize(key.into())?;
                }
                b'r' => {
                    let key = u32::from_le_bytes(self.bytes()?);
                    self.memorize(key)?;
                }
                0x94 => self.memorize(self.memo.len() as u32)?,
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    let value = self.named(&module, &name)?;
                    self.push(value)?;
                }
                0x93 => {
                    let names = self.pop_many(2)?;
                    match (&self.values[names[0]], &self.values[names[1]]) {
                        (Value::Text(module), Value::Text(name)) if module.len() + name.len() < MOST_NAME => {
                            let (module, name) = (module.clone(), name.clone());
                            let value = self.named(&module, &name)?;
                            self.push(value)?;
                        }
                        _ => return Err(damaged("a name of Python is no text, or endless")),
                    }
                }
                b'R' | 0x81 => {
                    let call = self.pop_many(2)?;
                    self.call(call[0], call[1])?;
                }
                // The state of an object: dictionaries and tensors need none.
                b'b' => {
                    self.pop()?;
                    let target = self.top()?;
                    if !matches!(self.values[target], Value::Dict(_) | Value::Tensor(_) | Value::Opaque(_)) {
                        return Err(damaged("a state is given to what has none"));
                    }
                }
                b'Q' => {
                    let id = self.pop()?;
                    let storage = self.storage(id)?;
                    self.push(Value::Storage(storage))?;
                }
                code => {
                    return Err(format!(
                        "it uses the pickle instruction 0x{code:02x}, which plain weights do not need: {SAVE_WEIGHTS}"
                    ));
                }
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|_| self.ended())?;
        Ok(bytes)
    }

    /// So many bytes. Memory is taken as they come, not as the file announces them.
    fn long_bytes(&mut self, length: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(length).read_to_end(&mut bytes);
        match read {
            Ok(read) if read as u64 == length => Ok(bytes),
            _ => Err(self.ended()),
        }
    }

    fn line(&mut self) -> Result<String, String> {
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(MOST_NAME as u64).read_until(b'\n', &mut bytes);
        match (read, bytes.pop()) {
            (Ok(_), Some(b'\n')) => String::from_utf8(bytes).map_err(|_| damaged("a name is no text")),
            _ => Err(self.ended()),
        }
    }

    fn ended(&self) -> String {
        match self.input.limit() {
            0 => format!(
                "its pickle is longer than the {} MiB that plain weights need: {SAVE_WEIGHTS}",
                MOST_BYTES >> 20
            ),
            _ => "it ends in the middle of its pickle: it may be cut off; copy it again".to_string(),
        }
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        self.stack.push(self.values.len());
        self.values.push(value);
        self.check_size()
    }

    fn check_size(&self) -> Result<(), String> {
        match self.values.len().max(self.stack.len()).max(self.marks.len()) {
            ..=MOST_VALUES => Ok(()),
            _ => Err(format!(
                "its pickle makes more than the {MOST_VALUES} values that plain weights need: {SAVE_WEIGHTS}"
            )),
        }
    }

    fn pop(&mut self) -> Result<Id, String> {
        Ok(self.pop_many(1)?[0])
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, String> {
        // What lies below the last mark is out of reach.
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(height) if height >= floor => Ok(self.stack.split_off(height)),
            _ => Err(damaged("an instruction finds no value")),
        }
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, String> {
        match self.marks.pop() {
            Some(height) if height <= self.stack.len() => Ok(self.stack.split_off(height)),
            _ => Err(damaged("an instruction finds no mark")),
        }
    }

    fn top(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(|| damaged("an instruction finds no value"))
    }

    fn integer(&mut self, length: u64) -> Result<(), String> {
        let bytes = self.long_bytes(length)?;
        if bytes.len() > 16 {
            return Err(damaged("an integer is too large"));
        }
        let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [fill; 16];
        wide[..bytes.len()].copy_from_slice(&bytes);
        self.push(Value::Int(i128::from_le_bytes(wide)))
    }

    fn text(&mut self, length: u64) -> Result<(), String> {
        let bytes = self.long_bytes(length)?;
        self.push(Value::Text(String::from_utf8(bytes).map_err(|_| damaged("a text is not Unicode"))?))
    }

    fn skip(&mut self, length: u64) -> Result<(), String> {
        self.long_bytes(length)?;
        self.push(Value::Plain)
    }

    fn memorize(&mut self, key: u32) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(key, top);
        match self.memo.len() {
            ..=MOST_VALUES => Ok(()),
            _ => Err(damaged("it remembers too much")),
        }
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let id = *self.memo.get(&key).ok_or_else(|| damaged("it recalls what it never remembered"))?;
        self.stack.push(id);
        self.check_size()
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let target = self.top()?;
        match &mut self.values[target] {
            Value::List(list) => list.extend(items),
            Value::Opaque(_) => {}
            _ => return Err(damaged("an item is added to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Id>) -> Result<(), String> {
        let target = self.top()?;
        match &mut self.values[target] {
            Value::Dict(pairs) if items.len().is_multiple_of(2) => {
                pairs.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            Value::Opaque(_) => {}
            _ => return Err(damaged("a key is set in what is no dictionary")),
        }
        Ok(())
    }

    /// Calls of the few functions that make plain data.
    fn call(&mut self, function: Id, arguments: Id) -> Result<(), String> {
        let Value::Tuple(arguments) = &self.values[arguments] else {
            return Err(damaged("arguments are no tuple"));
        };
        let first = arguments.first().map(|&id| &self.values[id]);
        let value = match (&self.values[function], first) {
            (Value::Known(Known::OrderedDict), None) => Value::Dict(Vec::new()),
            (Value::Known(Known::OrderedDict), Some(Value::List(pairs))) => Value::Dict(self.pairs(pairs)?),
            (Value::Known(Known::Size), Some(Value::Tuple(sizes))) => Value::Tuple(sizes.clone()),
            (Value::Known(Known::RebuildTensor), Some(Value::Storage(storage))) => {
                Value::Tensor(self.tensor(storage, &arguments[1..])?)
            }
            (Value::Known(Known::RebuildParameter), Some(Value::Tensor(tensor))) => Value::Tensor(tensor.clone()),
            (Value::Opaque(name), _) => Value::Opaque(*name),
            _ => return Err(damaged("a function is called with arguments that it does not take")),
        };
        self.push(value)
    }

    /// A name of Python: one that the machine knows, or an opaque one.
    fn named(&mut self, module: &str, name: &str) -> Result<Value, String> {
        let full = match Name::new(module, name) {
            Name::Known(known) => return Ok(Value::Known(known)),
            Name::Refused(full) => return Err(more_than_weights(&full)),
            Name::Unknown(full) => full,
        };
        if let Some(&place) = self.places.get(&full) {
            return Ok(Value::Opaque(place));
        }
        let place = self.unknown.len();
        if place == MOST_NAMES {
            return Err(more_than_weights(&full));
        }
        self.places.insert(full.clone(), place);
        self.unknown.push(full);
        Ok(Value::Opaque(place))
    }

    fn pairs(&self, pairs: &[Id]) -> Result<Vec<(Id, Id)>, String> {
        let pair = |&id: &Id| match &self.values[id] {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err(damaged("an ordered dictionary is made of what are no pairs")),
        };
        pairs.iter().map(pair).collect()
    }

    /// A tensor of a storage, an offset, a shape and strides.
    fn tensor(&self, storage: &Storage, arguments: &[Id]) -> Result<Tensor, String> {
        let wrong = || damaged("a tensor's offset, shape or strides are no whole numbers");
        let whole = |id: &Id| match self.values[*id] {
            Value::Int(value) => u64::try_from(value).map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        let [offset, shape, strides, ..] = arguments else { return Err(wrong()) };
        let (Value::Tuple(shape), Value::Tuple(strides)) = (&self.values[*shape], &self.values[*strides]) else {
            return Err(wrong());
        };
        let size = |id| whole(id).and_then(|size| usize::try_from(size).map_err(|_| wrong()));
        Ok(Tensor {
            storage: storage.clone(),
            offset: whole(offset)?,
            shape: shape.iter().map(size).collect::<Result<_, _>>()?,
            strides: strides.iter().map(whole).collect::<Result<_, _>>()?,
        })
    }

    /// The storage that a persistent id names: `("storage", type, key, device, elements)`, in older files with a view.
    fn storage(&self, id: Id) -> Result<Storage, String> {
        let Value::Tuple(parts) = &self.values[id] else { return Err(damaged("a storage has no name")) };
        let parts: Vec<&Value> = parts.iter().map(|&id| &self.values[id]).collect();
        match parts[..] {
            [Value::Text(kind), Value::Known(Known::Storage(dtype)), Value::Text(key), _, Value::Int(elements)]
            | [
                Value::Text(kind),
                Value::Known(Known::Storage(dtype)),
                Value::Text(key),
                _,
                Value::Int(elements),
                Value::Plain,
            ] if kind == "storage" => Ok(Storage {
                key: key.clone(),
                dtype: *dtype,
                elements: u64::try_from(*elements).map_err(|_| damaged("a storage has no size"))?,
            }),
            [_, Value::Opaque(name), ..] => Err(more_than_weights(&self.unknown[*name])),
            _ => Err(damaged("a storage is described in an unknown way")),
        }
    }
}

fn damaged(what: &str) -> String {
    format!("its pickle is damaged: {what}; copy it again")
}
