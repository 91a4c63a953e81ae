//! A table of areas as a file: CSV or Parquet.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::AreaTable;
use super::columns::{Column, columns, csv};
use super::count::options;
use crate::whole_file::write_whole;
use crate::{Error, Result};

/// Fails unless the name of a table says in which format it is to be written.
///
/// # Errors
/// When the extension is neither `.csv` nor `.parquet`.
pub fn check_table_name(path: &Path) -> Result<()> {
    match extension(path).as_str() {
        "csv" | "parquet" => Ok(()),
        _ => Err(options(format!("{}: its extension names no format of tables; use .csv or .parquet", path.display()))),
    }
}

/// Writes a table, as CSV or as Parquet by its extension; the file appears when it is complete.
///
/// # Errors
/// As [`check_table_name`], and when the file cannot be written.
pub fn write_table(table: &AreaTable, path: &Path) -> Result<()> {
    check_table_name(path)?;
    let bytes = match extension(path).as_str() {
        "parquet" => parquet(table).map_err(|error| Error::io("write", path)(std::io::Error::other(error)))?,
        _ => csv(table).into_bytes(),
    };
    write_whole(path, &bytes)
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// One row group, uncompressed: any reader takes it, and a table is small.
fn parquet(table: &AreaTable) -> std::result::Result<Vec<u8>, ParquetError> {
    let columns = columns(table);
    let field = |(name, column): &(&str, Column<'_>)| {
        let (kind, repetition, logical) = match column {
            Column::Text(_) => (Physical::BYTE_ARRAY, Repetition::REQUIRED, Some(LogicalType::String)),
            Column::Whole(_) => (Physical::INT64, Repetition::REQUIRED, None),
            Column::Number(_) => (Physical::DOUBLE, Repetition::OPTIONAL, None),
        };
        let field = Type::primitive_type_builder(name, kind).with_repetition(repetition).with_logical_type(logical);
        field.build().map(Arc::new)
    };
    let fields = columns.iter().map(field).collect::<std::result::Result<Vec<_>, _>>()?;
    let schema = Arc::new(Type::group_type_builder("areas").with_fields(fields).build()?);
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(WriterProperties::builder().build()))?;
    let mut group = writer.next_row_group()?;
    for (_, column) in &columns {
        let Some(mut target) = group.next_column()? else { break };
        match column {
            Column::Text(values) => {
                let values: Vec<ByteArray> = values.iter().map(|&text| ByteArray::from(text)).collect();
                target.typed::<ByteArrayType>().write_batch(&values, None, None)?;
            }
            Column::Whole(values) => {
                target.typed::<Int64Type>().write_batch(values, None, None)?;
            }
            Column::Number(values) => {
                let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                let known: Vec<f64> = values.iter().flatten().copied().collect();
                target.typed::<DoubleType>().write_batch(&known, Some(&levels), None)?;
            }
        }
        target.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(bytes)
}
