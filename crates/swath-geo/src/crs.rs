//! Coordinate reference systems as plain text.

use std::fmt;

use gdal::spatial_ref::{AxisMappingStrategy, SpatialRef};
use serde::{Deserialize, Serialize};

use crate::ellipsoid::Ellipsoid;
use crate::gdal_setup::{clear_messages, init, take_messages};
use crate::{GeoError, Result};

/// A coordinate reference system, held as WKT 2 text: plain data that travels between threads and into files.
///
/// x is always east or longitude and y north or latitude, whatever order the authority prescribes.
/// `==` compares the texts; use [`Crs::same`] to ask whether two texts mean the same system.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Crs {
    wkt: String,
}

impl Crs {
    /// Parses whatever GDAL understands: `EPSG:32633`, a WKT, a PROJ string, `OGC:CRS84`.
    ///
    /// # Errors
    /// [`GeoError::Crs`] when GDAL does not understand the text.
    pub fn from_user(text: &str) -> Result<Self> {
        init();
        clear_messages();
        let failed = |error: gdal::errors::GdalError| GeoError::Crs {
            text: shorten(text),
            message: take_messages(&error.to_string()),
        };
        // A definition may name a file or a URL for GDAL to fetch; a CRS never needs that.
        if text.trim().is_empty() || text.contains("://") || text.starts_with('/') {
            return Err(GeoError::Crs { text: shorten(text), message: "it is empty or names a file".into() });
        }
        let reference = SpatialRef::from_definition(text).map_err(failed)?;
        Self::from_spatial_ref(&reference)
    }

    /// The WKT 2 text.
    pub fn wkt(&self) -> &str {
        &self.wkt
    }

    /// Its name, such as `WGS 84 / UTM zone 33N`.
    pub fn name(&self) -> String {
        self.spatial_ref().ok().and_then(|reference| reference.name()).unwrap_or_else(|| "unnamed".into())
    }

    /// Authority and code, such as `EPSG:32633`, when the CRS carries one.
    pub fn authority(&self) -> Option<String> {
        self.spatial_ref().ok()?.authority().ok()
    }

    /// Whether coordinates are longitude and latitude.
    pub fn is_geographic(&self) -> bool {
        self.spatial_ref().is_ok_and(|reference| reference.is_geographic())
    }

    /// Whether both mean the same system, however they are written.
    ///
    /// Names, axis order and metadata do not count; datum, projection, parameters and units do.
    pub fn same(&self, other: &Crs) -> bool {
        if self.wkt == other.wkt {
            return true;
        }
        let (Ok(left), Ok(right)) = (self.spatial_ref(), other.spatial_ref()) else { return false };
        if equivalent(&left, &right) {
            return true;
        }
        // Newer registries call WGS 84 an ensemble of datums, older texts a datum; WKT 1 knows only the latter.
        let plain = |reference: &SpatialRef| SpatialRef::from_wkt(&reference.to_wkt().ok()?).ok();
        match (plain(&left), plain(&right)) {
            (Some(left), Some(right)) => equivalent(&left, &right),
            _ => false,
        }
    }

    /// The PROJJSON form; `None` where GDAL has none.
    pub(crate) fn projjson(&self) -> Option<serde_json::Value> {
        let reference = self.spatial_ref().ok()?;
        let mut text = std::ptr::null_mut();
        // SAFETY: the handle is valid; `text` receives a string that is freed below.
        let json = unsafe {
            gdal_sys::OSRExportToPROJJSON(reference.to_c_hsrs(), &mut text, std::ptr::null());
            let json = (!text.is_null()).then(|| std::ffi::CStr::from_ptr(text).to_string_lossy().into_owned());
            gdal_sys::VSIFree(text.cast());
            json
        };
        clear_messages();
        serde_json::from_str(&json?).ok()
    }

    /// Takes over a CRS from GDAL.
    pub(crate) fn from_spatial_ref(reference: &SpatialRef) -> Result<Self> {
        let format = c"FORMAT=WKT2_2018";
        let options = [format.as_ptr(), std::ptr::null()];
        let mut text = std::ptr::null_mut();
        clear_messages();
        // SAFETY: the handle is valid, the list ends with NULL, `text` receives a string that is freed below.
        let wkt = unsafe {
            gdal_sys::OSRExportToWktEx(reference.to_c_hsrs(), &mut text, options.as_ptr());
            let wkt = if text.is_null() {
                String::new()
            } else {
                std::ffi::CStr::from_ptr(text).to_string_lossy().into_owned()
            };
            gdal_sys::VSIFree(text.cast());
            wkt
        };
        if wkt.is_empty() {
            let message = take_messages("GDAL cannot write it as WKT");
            return Err(GeoError::Crs { text: reference.name().unwrap_or_default(), message });
        }
        Ok(Self { wkt })
    }

    /// The GDAL object, x and y in traditional order.
    pub(crate) fn spatial_ref(&self) -> Result<SpatialRef> {
        init();
        clear_messages();
        let mut reference = SpatialRef::from_wkt(&self.wkt)
            .map_err(|error| GeoError::Crs { text: shorten(&self.wkt), message: take_messages(&error.to_string()) })?;
        reference.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
        Ok(reference)
    }

    pub(crate) fn ellipsoid(&self) -> Option<Ellipsoid> {
        let reference = self.spatial_ref().ok()?;
        Some(Ellipsoid { a: reference.semi_major().ok()?, b: reference.semi_minor().ok()? })
    }

    /// Metres per unit of a projected CRS; radians per unit of a geographic one.
    pub(crate) fn unit(&self) -> Option<f64> {
        let reference = self.spatial_ref().ok()?;
        if reference.is_geographic() { Some(reference.angular_units()) } else { Some(reference.linear_units()) }
    }

    /// What may be added to an x for the same place: whole turns, where it is a longitude.
    pub(crate) fn turns(&self) -> Vec<f64> {
        let unit = if self.is_geographic() { self.unit() } else { None };
        unit.map_or(vec![0.0], |unit| [0.0, -1.0, 1.0].map(|turns| turns * std::f64::consts::TAU / unit).to_vec())
    }

    /// Longitude and latitude on the CRS's own datum.
    pub(crate) fn geographic(&self) -> Option<Crs> {
        Crs::from_spatial_ref(&self.spatial_ref().ok()?.geog_cs().ok()?).ok()
    }

    /// Name with authority, for messages: `WGS 84 / UTM zone 33N (EPSG:32633)`. A CRS without a name is told by
    /// its PROJ string.
    pub(crate) fn label(&self) -> String {
        let name = self.name();
        if let Some(authority) = self.authority() {
            return format!("{name} ({authority})");
        }
        let nameless = matches!(name.to_lowercase().as_str(), "" | "unnamed" | "unknown");
        let proj = nameless.then(|| self.spatial_ref().ok()?.to_proj4().ok()).flatten();
        proj.map_or(name, |proj| proj.trim().to_owned())
    }
}

impl fmt::Debug for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crs({})", self.label())
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

impl TryFrom<String> for Crs {
    type Error = GeoError;

    fn try_from(text: String) -> Result<Self> {
        Self::from_user(&text)
    }
}

impl From<Crs> for String {
    fn from(crs: Crs) -> Self {
        crs.wkt
    }
}

fn equivalent(left: &SpatialRef, right: &SpatialRef) -> bool {
    // Data are always in traditional order here, so that the order the authority prescribes says nothing.
    let (criterion, mapping) =
        (c"CRITERION=EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS", c"IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES");
    let options = [criterion.as_ptr(), mapping.as_ptr(), std::ptr::null()];
    // SAFETY: both handles live longer than the call; the list ends with NULL.
    unsafe { gdal_sys::OSRIsSameEx(left.to_c_hsrs(), right.to_c_hsrs(), options.as_ptr()) == 1 }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crs(text: &str) -> Crs {
        Crs::from_user(text).unwrap()
    }

    #[test]
    fn names_and_authorities() {
        let utm = crs("EPSG:32633");
        assert_eq!(utm.name(), "WGS 84 / UTM zone 33N");
        assert_eq!(utm.authority().as_deref(), Some("EPSG:32633"));
        assert!(!utm.is_geographic());
        assert!(crs("EPSG:4326").is_geographic());
        assert_eq!(utm.to_string(), "WGS 84 / UTM zone 33N (EPSG:32633)");
    }

    #[test]
    fn same_compares_meaning() {
        let utm = crs("EPSG:32633");
        assert!(utm.same(&crs("+proj=utm +zone=33 +datum=WGS84 +units=m +no_defs")));
        assert!(!utm.same(&crs("EPSG:32634")));
        assert!(crs("EPSG:4326").same(&crs("OGC:CRS84")));
        // NAD83 and NAD83(HARN) / North Carolina: same numbers, different datum.
        assert!(!crs("EPSG:32119").same(&crs("EPSG:3358")));
    }

    #[test]
    fn text_survives_a_round_trip_and_nonsense_is_refused() {
        let utm = crs("EPSG:32633");
        let json = serde_json::to_string(&utm).unwrap();
        let back: Crs = serde_json::from_str(&json).unwrap();
        assert!(back.same(&utm));
        for text in ["", "EPSG:99999999", "nonsense", "/etc/passwd", "http://example.com/crs"] {
            assert!(matches!(Crs::from_user(text), Err(GeoError::Crs { .. })), "{text}");
        }
    }
}
