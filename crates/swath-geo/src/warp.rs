//! Warped VRTs: a file as if it lay on another grid. GDAL computes blocks when they are read.

use std::ffi::{CStr, CString, c_int, c_void};

use gdal::Dataset;
use gdal_sys::{GDALResampleAlg, GDALWarpOptions};

use crate::gdal_setup::{clear_messages, take_messages};
use crate::{GeoError, Grid, Resampling, Result};

/// What to warp onto which grid.
#[derive(Debug, Clone)]
pub(crate) struct Warp {
    /// The grid of the file.
    pub(crate) from: Grid,
    /// The grid it shall appear on.
    pub(crate) onto: Grid,
    /// Band numbers in the file, from 1; they become 1, 2, ...
    pub(crate) bands: Vec<usize>,
    /// Nodata of each of these bands.
    pub(crate) nodata: Vec<Option<f64>>,
    /// Alpha band of the file.
    pub(crate) alpha: Option<usize>,
    /// How values between pixels are computed.
    pub(crate) resampling: Resampling,
}

/// Opens `source` as if it lay on another grid.
///
/// The result has the bands asked for, of the source's types, and one alpha band more: 0 where no valid
/// source pixel contributes, beyond the source's edge for example. Bands keep their nodata value.
pub(crate) fn warped(source: Dataset, warp: &Warp) -> Result<Dataset> {
    clear_messages();
    let failed = || GeoError::Gdal {
        action: "cannot warp onto the scene's grid".into(),
        message: take_messages("GDAL gives no reason"),
    };
    let (Ok(width), Ok(height)) = (c_int::try_from(warp.onto.width), c_int::try_from(warp.onto.height)) else {
        return Err(failed());
    };
    let transformer = Transformer::new(&warp.from, &warp.onto).ok_or_else(failed)?;
    let options = Options::new(&source, warp, &transformer);
    let mut affine = warp.onto.transform.0;
    // SAFETY: source and options live during the call; GDAL copies the options and counts one more reference to
    // the source. On success the new dataset owns the transformer.
    let handle =
        unsafe { gdal_sys::GDALCreateWarpedVRT(source.c_dataset(), width, height, affine.as_mut_ptr(), options.0) };
    if handle.is_null() {
        return Err(failed());
    }
    transformer.release();
    // SAFETY: our reference to the source goes, the new dataset's stays: dropping `source` would close it for both.
    // The new handle is owned by nobody else.
    unsafe {
        gdal_sys::GDALReleaseDataset(source.c_dataset());
        std::mem::forget(source);
        Ok(Dataset::from_c_dataset(handle))
    }
}

/// Largest error of an approximated reprojection, in source pixels: gdalwarp's default.
const MAX_ERROR: f64 = 0.125;

/// A pixel-to-pixel transformer of GDAL, destroyed unless released.
struct Transformer {
    handle: *mut c_void,
    approximate: bool,
}

impl Transformer {
    fn new(from: &Grid, onto: &Grid) -> Option<Self> {
        let same = match (&from.crs, &onto.crs) {
            (Some(left), Some(right)) => left.same(right),
            _ => true,
        };
        let wkt = |grid: &Grid| grid.crs.as_ref().and_then(|crs| CString::new(crs.wkt()).ok());
        let (source, target) = if same { (None, None) } else { (wkt(from), wkt(onto)) };
        let pointer = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
        // SAFETY: texts and coefficients live during the call, which copies them. Without texts it stays affine.
        let exact = unsafe {
            gdal_sys::GDALCreateGenImgProjTransformer3(
                pointer(&source),
                from.transform.0.as_ptr(),
                pointer(&target),
                onto.transform.0.as_ptr(),
            )
        };
        if exact.is_null() || same {
            return (!exact.is_null()).then_some(Self { handle: exact, approximate: false });
        }
        // SAFETY: the new transformer takes over the exact one.
        let handle = unsafe {
            let handle =
                gdal_sys::GDALCreateApproxTransformer(Some(gdal_sys::GDALGenImgProjTransform), exact, MAX_ERROR);
            gdal_sys::GDALApproxTransformerOwnsSubtransformer(handle, 1);
            handle
        };
        Some(Self { handle, approximate: true })
    }

    /// Leaves the transformer to a dataset.
    fn release(self) {
        std::mem::forget(self);
    }
}

impl Drop for Transformer {
    fn drop(&mut self) {
        // SAFETY: each kind is destroyed by its own function, once.
        unsafe {
            if self.approximate {
                gdal_sys::GDALDestroyApproxTransformer(self.handle);
            } else {
                gdal_sys::GDALDestroyGenImgProjTransformer(self.handle);
            }
        }
    }
}

/// GDAL's warp options, freed with everything they hold except source and transformer.
struct Options(*mut GDALWarpOptions);

impl Options {
    fn new(source: &Dataset, warp: &Warp, transformer: &Transformer) -> Self {
        let count = warp.bands.len();
        // SAFETY: all lists hold `count` numbers and come from GDAL's allocator, which frees them with the options.
        unsafe {
            let raw = gdal_sys::GDALCreateWarpOptions();
            let options = &mut *raw;
            options.hSrcDS = source.c_dataset();
            options.eResampleAlg = algorithm(warp.resampling);
            options.nBandCount = count as c_int;
            options.panSrcBands = list(count, |index| warp.bands[index] as c_int);
            options.panDstBands = list(count, |index| index as c_int + 1);
            options.nSrcAlphaBand = warp.alpha.unwrap_or(0) as c_int;
            options.nDstAlphaBand = count as c_int + 1;
            options.pTransformerArg = transformer.handle;
            options.pfnTransformer = Some(if transformer.approximate {
                gdal_sys::GDALApproxTransform
            } else {
                gdal_sys::GDALGenImgProjTransform
            });
            if warp.nodata.iter().any(Option::is_some) {
                // GDAL's own number for bands without nodata.
                let nodata = |index: usize| warp.nodata[index].unwrap_or(-1.1e20);
                options.padfSrcNoDataReal = list(count, nodata);
                options.padfDstNoDataReal = list(count, nodata);
            }
            // Each band looks at its own nodata value only; the reader combines them.
            for (key, value) in [(c"UNIFIED_SRC_NODATA", c"NO"), (c"INIT_DEST", c"NO_DATA")] {
                options.papszWarpOptions = set(options.papszWarpOptions, key, value);
            }
            Self(raw)
        }
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: created by `Options::new`, freed once.
        unsafe { gdal_sys::GDALDestroyWarpOptions(self.0) };
    }
}

fn algorithm(resampling: Resampling) -> GDALResampleAlg::Type {
    match resampling {
        Resampling::Nearest => GDALResampleAlg::GRA_NearestNeighbour,
        Resampling::Bilinear => GDALResampleAlg::GRA_Bilinear,
        Resampling::Cubic => GDALResampleAlg::GRA_Cubic,
        Resampling::Average => GDALResampleAlg::GRA_Average,
        Resampling::Mode => GDALResampleAlg::GRA_Mode,
    }
}

/// A list in GDAL's memory.
///
/// # Safety
/// The caller hands the list to GDAL, which frees it.
unsafe fn list<T>(count: usize, value: impl Fn(usize) -> T) -> *mut T {
    // SAFETY: CPLMalloc aborts rather than returning NULL; every element is written before use.
    unsafe {
        let start: *mut T = gdal_sys::CPLMalloc(count.max(1) * size_of::<T>()).cast();
        for index in 0..count {
            start.add(index).write(value(index));
        }
        start
    }
}

/// # Safety
/// `options` is a string list of GDAL's or NULL; the returned list replaces it.
unsafe fn set(options: *mut *mut std::ffi::c_char, key: &CStr, value: &CStr) -> *mut *mut std::ffi::c_char {
    // SAFETY: both texts end with NUL and are copied.
    unsafe { gdal_sys::CSLSetNameValue(options, key.as_ptr(), value.as_ptr()) }
}
