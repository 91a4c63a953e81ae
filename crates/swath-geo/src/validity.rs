//! Which pixels hold data.
//!
//! A pixel is valid in a band when all of these say so that the file has: the mask band (of the band or of
//! the whole file), the alpha band (anything but fully transparent), and the nodata value, NaN included; and
//! when its value is finite. A pixel of a scene is valid when it is valid in every selected band. Zero is an
//! ordinary value.

/// Converts one band in place of GDAL's raw values: applies nodata, scale and offset, and clears validity.
///
/// `raw`, `values` and `valid` have one length. `valid` is only ever cleared. Values of invalid pixels are
/// left for [`erase_invalid`], because a later band may still clear more.
pub(crate) fn convert<T: Sample>(raw: &[T], calibration: Calibration, values: &mut [f32], valid: &mut [bool]) {
    let Calibration { nodata, scale, offset } = calibration;
    let identity = scale == 1.0 && offset == 0.0;
    for ((sample, value), valid) in raw.iter().zip(values).zip(valid) {
        let wide = sample.wide();
        *value = if identity { wide as f32 } else { (wide * scale + offset) as f32 };
        // Also catches finite numbers beyond the range of f32.
        *valid &= value.is_finite() && !nodata.is_some_and(|nodata| T::is_nodata(wide, nodata));
    }
}

/// Like [`convert`] for values that lie in their place already.
pub(crate) fn convert_in_place(calibration: Calibration, values: &mut [f32], valid: &mut [bool]) {
    let Calibration { nodata, scale, offset } = calibration;
    let identity = scale == 1.0 && offset == 0.0;
    for (value, valid) in values.iter_mut().zip(valid) {
        let wide = f64::from(*value);
        let is_nodata = nodata.is_some_and(|nodata| f32::is_nodata(wide, nodata));
        if !identity {
            *value = (wide * scale + offset) as f32;
        }
        *valid &= value.is_finite() && !is_nodata;
    }
}

/// Sets the values of invalid pixels to zero in every band.
pub(crate) fn erase_invalid(values: &mut [f32], valid: &[bool]) {
    if valid.is_empty() || valid.iter().all(|&valid| valid) {
        return;
    }
    for band in values.chunks_exact_mut(valid.len()) {
        for (value, &valid) in band.iter_mut().zip(valid) {
            if !valid {
                *value = 0.0;
            }
        }
    }
}

/// How raw numbers become values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Calibration {
    /// Raw value without meaning.
    pub(crate) nodata: Option<f64>,
    /// `value = raw * scale + offset`.
    pub(crate) scale: f64,
    /// See `scale`.
    pub(crate) offset: f64,
}

/// A type that GDAL reads into.
pub(crate) trait Sample: Copy {
    /// The number in f64.
    fn wide(self) -> f64;

    /// Whether a number read in this type is the nodata value, which files give in f64 or in decimal digits:
    /// equal to within two units in the last place of this type, as GDAL compares.
    fn is_nodata(value: f64, nodata: f64) -> bool;
}

impl Sample for f32 {
    fn wide(self) -> f64 {
        f64::from(self)
    }

    fn is_nodata(value: f64, nodata: f64) -> bool {
        close(value, f64::from(nodata as f32), f64::from(f32::EPSILON))
    }
}

impl Sample for f64 {
    fn wide(self) -> f64 {
        self
    }

    fn is_nodata(value: f64, nodata: f64) -> bool {
        close(value, nodata, f64::EPSILON)
    }
}

fn close(value: f64, nodata: f64, epsilon: f64) -> bool {
    if nodata.is_nan() {
        return value.is_nan();
    }
    value == nodata || (value - nodata).abs() < epsilon * (value + nodata).abs() * 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(raw: &[f32], nodata: Option<f64>) -> Vec<bool> {
        let mut values = raw.to_vec();
        let mut valid = vec![true; raw.len()];
        convert_in_place(Calibration { nodata, scale: 1.0, offset: 0.0 }, &mut values, &mut valid);
        valid
    }

    #[test]
    fn zero_is_ordinary_and_non_finite_is_not() {
        assert_eq!(run(&[0.0, f32::NAN, f32::INFINITY, -1.0], None), [true, false, false, true]);
    }

    #[test]
    fn nodata_is_compared_in_the_type_of_the_file() {
        assert_eq!(run(&[-9999.0, 0.1, 5.0], Some(0.1)), [true, false, true]);
        assert_eq!(run(&[f32::MIN, 1.0], Some(-3.402_823_466_385_288_6e38)), [false, true]);
        assert_eq!(run(&[f32::NAN, 0.0], Some(f64::NAN)), [false, true]);
        // A nodata value that the type cannot hold never occurs.
        assert_eq!(run(&[32767.0, -32768.0], Some(-99999.0)), [true, true]);
    }

    #[test]
    fn nodata_is_a_raw_value_and_scale_comes_after() {
        let mut values = [0.0; 3];
        let mut valid = [true; 3];
        let calibration = Calibration { nodata: Some(100.0), scale: 0.01, offset: -1.0 };
        convert(&[100.0f64, 200.0, 1e300], calibration, &mut values, &mut valid);
        assert_eq!(values[1], 1.0);
        assert_eq!(valid, [false, true, false]);
        erase_invalid(&mut values, &valid);
        assert_eq!(values, [0.0, 1.0, 0.0]);
    }
}
